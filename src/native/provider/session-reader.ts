import type { JsonObject, RunnerEvent } from '../../contract/events.ts';
import type { RuntimeAdapter } from '../../runtimes/adapter.ts';
import { objectOf, stringOf } from '../../runtimes/json.ts';
import type { LoggedSession } from '../logged-session.ts';

const MAX_ID_LENGTH = 512;

/** Converts a session's events to events of the run. */
export interface SessionReader {
  /** Converts one event to those not yet in the log. `live`: it is from the stream, not the history. */
  take(event: JsonObject, live: boolean): RunnerEvent[];
  /** Returns true if the agent's turn has ended after the events so far. */
  isOver(): boolean;
  /** Returns the number of distinct events with an id. */
  size(): number;
}

/**
 * Creates a reader that takes each event of a session once, from its history or its stream. The adapter gets
 * all of them, so that it has the state of the previous follower. Those of its events that are in the log are
 * dropped.
 */
export function createSessionReader(adapter: RuntimeAdapter, logged: LoggedSession): SessionReader {
  const known = new Set<string>();
  const encoder = new TextEncoder();
  let over = false;
  return {
    take(event, live) {
      const type = stringOf(event.type);
      const id = stringOf(event.id);
      const isNamed = id !== undefined && id.length <= MAX_ID_LENGTH;
      // Events without an id are only taken from the stream, where each comes once.
      if (type === 'ping' || (!isNamed && !live) || (isNamed && known.has(id))) return [];
      if (isNamed) known.add(id);
      over = isOverAfter(over, event);
      const made = adapter.push(encoder.encode(`data: ${textOf(event)}\n\n`));
      return logged.missing(isNamed ? id : undefined, made);
    },
    isOver: () => over,
    size: () => known.size,
  };
}

/** Encodes an event as JSON. An event that is nested too deeply for that is encoded without its content. */
function textOf(event: JsonObject): string {
  try {
    return JSON.stringify(event);
  } catch {
    const { type, id } = event;
    return JSON.stringify({ type, id, note: 'omitted: nested too deeply' });
  }
}

/** Returns true if the turn has ended. A turn that waits for its host has not. Other events keep `over`. */
function isOverAfter(over: boolean, event: JsonObject): boolean {
  switch (event.type) {
    case 'session.status_idle':
      return objectOf(event.stop_reason)?.type !== 'requires_action';
    case 'session.status_terminated':
    case 'session.deleted':
      return true;
    case 'session.status_running':
    case 'session.status_rescheduled':
    case 'user.message':
      return false;
    default:
      return over;
  }
}
