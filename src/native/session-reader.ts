import type { JsonObject, RunnerEvent } from '../contract/events.ts';
import type { RuntimeAdapter } from '../runtimes/adapter.ts';
import { objectOf, stringOf } from '../runtimes/json.ts';

const MAX_ID_LENGTH = 512;

/** What came of one event of a session. */
export interface SessionReader {
  /** What it becomes and is not in the log yet. `live`: from the stream, not from the history. */
  take(event: JsonObject, live: boolean): RunnerEvent[];
  /** Whether the events so far end with the agent's turn being over. */
  isOver(): boolean;
  /** How many events were told apart. */
  size(): number;
}

/** What the log has of a session whose follower was another one. */
export interface LoggedSession {
  /** The ids of the session's events that are in the log. */
  readonly ids: ReadonlySet<string>;
  /** Whether the log has begun. */
  readonly begun: boolean;
}

/**
 * Reads a session's events, whether from its history or its stream, each once. The adapter is given all of them, so that
 * it knows what the follower before knew; what it makes of those in the log is dropped.
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
      // What has no id is only taken where it can come once.
      if (type === 'ping' || (!isNamed && !live) || (isNamed && known.has(id))) return [];
      if (isNamed) known.add(id);
      over = isOverAfter(over, event);
      const events = adapter.push(encoder.encode(`data: ${textOf(event)}\n\n`));
      // The log begins with the first event, which may have left nothing but the start of the run.
      const isLogged = (isNamed && logged.ids.has(id)) || (isFirst && logged.begun);
      isFirst = false;
      return isLogged ? [] : events;
    },
    isOver: () => over,
    size: () => known.size,
  };
}

/** The event as text again; what nests too deep to be written is told of without its content. */
function textOf(event: JsonObject): string {
  try {
    return JSON.stringify(event);
  } catch {
    const { type, id } = event;
    return JSON.stringify({ type, id, note: 'left out: it nests too deep' });
  }
}

/** A turn that asks its host for something is not over. What else happens to an idle session changes nothing. */
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

/** The ids of a session's events that an event of the log names. */
export function sessionIdsOf(kind: RunnerEvent['kind'], data: JsonObject): string[] {
  const { messageId, eventId, toolId, payload } = data;
  const ids = [messageId, eventId, kind === 'tool_request' ? toolId : undefined, objectOf(payload)?.id];
  return ids.filter((id) => typeof id === 'string');
}
