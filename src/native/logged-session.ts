import type { RunnerEvent } from '../contract/events.ts';
import { objectOf } from '../runtimes/json.ts';

type LoggedEvent = Pick<RunnerEvent, 'kind' | 'data'>;

/** The part of a session that earlier followers have stored in the log. */
export interface LoggedSession {
  /** Adds an event of the log. The caller adds all of them, in order. */
  add(event: LoggedEvent): void;
  /** Returns those of the events made of the session's event with this id that are not in the log. */
  missing(id: string | undefined, made: readonly RunnerEvent[]): RunnerEvent[];
}

/** Creates the stored part of a session, at first nothing. */
export function createLoggedSession(): LoggedSession {
  const ids = new Set<string>();
  const loads = new Set<string>();
  let begun = false;
  /** The log may end in the middle of an event of the session, if that is larger than a commit. */
  let last: { readonly id: string; events: number } | null = null;

  /** Counts events that name the session's event, or that followed without naming any. */
  function count(event: LoggedEvent): void {
    const named = sessionIdsOf(event);
    for (const id of named) ids.add(id);
    const [id] = named;
    if (id !== undefined && id !== last?.id) last = { id, events: 1 };
    else if (last) last.events += 1;
  }

  function storedOf(id: string | undefined): number {
    if (id === undefined || !ids.has(id)) return 0;
    return last?.id === id ? last.events : Number.POSITIVE_INFINITY;
  }

  return {
    add(event) {
      begun = true;
      const load = loadOf(event);
      if (load === null) count(event);
      else loads.add(load);
    },
    missing(id, made) {
      let stored = storedOf(id);
      return made.filter((event) => {
        // The first event makes the start, too. It need not be the one that began the log: that may have come
        // from the stream without an id, and then it is not in the history.
        if (event.kind === 'runtime_started') return !begun;
        // Loads do not name the session's event. They also come from the session itself, with the start.
        const load = loadOf(event);
        if (load !== null) return !loads.has(load);
        if (stored === 0) return true;
        stored -= 1;
        return false;
      });
    },
  };
}

/** Returns the ids of the session's events that an event in the log refers to, its own event's first. */
function sessionIdsOf({ kind, data }: LoggedEvent): string[] {
  const { messageId, eventId, toolId, payload } = data;
  const ids = [messageId, eventId, kind === 'tool_request' ? toolId : undefined, objectOf(payload)?.id];
  return ids.filter((id) => typeof id === 'string');
}

/** Identifies a skill or a file that became available, which a run records once. Null for other events. */
function loadOf({ kind, data }: LoggedEvent): string | null {
  switch (kind) {
    case 'skill_loaded':
      return JSON.stringify([kind, data.skill, data.version]);
    case 'file_uploaded':
      return JSON.stringify([kind, data.fileId]);
    default:
      return null;
  }
}
