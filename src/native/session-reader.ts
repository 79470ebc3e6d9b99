import type { JsonObject, RunnerEvent } from '../contract/events.ts';
import type { RuntimeAdapter } from '../runtimes/adapter.ts';
import { objectOf, stringOf } from '../runtimes/json.ts';

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

/** The part of a session that an earlier follower has stored in the log. */
export interface LoggedSession {
  /** The ids of the session's events that are in the log. */
  readonly ids: ReadonlySet<string>;
  /** True if the log has an event from the session. */
  readonly begun: boolean;
}

/**
 * Creates a reader that takes each event of a session once, from its history or its stream. The adapter gets
 * all of them, so that it has the state of the previous follower. The events it makes of those in the log are
 * dropped.
 */
export function createSessionReader(adapter: RuntimeAdapter, logged: LoggedSession): SessionReader {
  const known = new Set<string>();
  const encoder = new TextEncoder();
  let isFirst = true;
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
      const events = adapter.push(encoder.encode(`data: ${textOf(event)}\n\n`));
      // The log begins with the first event, of which it may only have the start of the run.
      const isLogged = (isNamed && logged.ids.has(id)) || (isFirst && logged.begun);
      isFirst = false;
      return isLogged ? [] : events;
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

/** Returns the ids of the session's events that an event in the log refers to. */
export function sessionIdsOf(kind: RunnerEvent['kind'], data: JsonObject): string[] {
  const { messageId, eventId, toolId, payload } = data;
  const ids = [messageId, eventId, kind === 'tool_request' ? toolId : undefined, objectOf(payload)?.id];
  return ids.filter((id) => typeof id === 'string');
}
