import { unlessAborted } from '../lib/cancellable.ts';
import type { Head, StoredEvent } from '../store/store.ts';
import type { Pages } from './pages.ts';
import { firstAfter } from './ring.ts';
import type { Watch } from './watch.ts';

/** What to follow, from where, in what portions. */
export interface FollowRequest {
  readonly run: number;
  /** Number of the last event seen; -1 from the start. */
  readonly after: number;
  /** A step ends after so many events … */
  readonly maxEvents: number;
  /** … or with the event that reaches so many bytes. */
  readonly maxBytes: number;
  /** When nothing comes for so long, a step without events is made. Asked anew before every wait; null: never. */
  readonly idleMs: () => number | null;
}

/** A step through a log: events in order, or a hole that retention left, or nothing but the time that passed. */
export interface Step {
  readonly events: readonly StoredEvent[];
  /** The reader's place after this step. */
  readonly cursor: number;
  /** Numbers that were removed before the reader got to them. */
  readonly gap: { readonly fromSeq: number; readonly toSeq: number } | null;
  /** The log's head as this process knows it. */
  readonly head: Head;
}

/**
 * Steps through a watched run. A reader is its cursor. Ring and pages belong to all readers, so one that stalls holds
 * no more than the step that it is being handed.
 */
export async function* follow(
  watch: Watch,
  pages: Pages,
  request: FollowRequest,
  signal: AbortSignal,
): AsyncGenerator<Step, void, undefined> {
  let cursor = request.after;
  let first = true;
  while (!signal.aborted) {
    const head = watch.head();
    let events: readonly StoredEvent[] = [];
    let gap: Step['gap'] = null;
    if (cursor < head.removedThrough) {
      gap = { fromSeq: cursor + 1, toSeq: head.removedThrough };
      cursor = head.removedThrough;
    } else if (cursor >= watch.ring.from() && cursor < watch.ring.to()) {
      events = portion(watch.ring.events(), cursor, request);
    } else if (cursor < head.lastSeq) {
      const page =
        pages.find(watch.run, cursor) ?? (await unlessAborted(pages.read(watch.run, cursor), signal));
      if (!page) return;
      watch.learn(page.head);
      // Retention was faster than this reader.
      if (cursor < page.head.removedThrough) continue;
      events = portion(page.events, cursor, request);
    } else if (head.terminalSeq !== null) {
      return;
    }
    cursor = events.at(-1)?.seq ?? cursor;
    const idleMs = request.idleMs();
    if (first || gap || events.length > 0 || (idleMs !== null && idleMs <= 0)) {
      first = false;
      yield { events, cursor, gap, head: watch.head() };
    } else {
      await watch.changed(head, signal, idleMs);
    }
  }
}

function portion(
  events: readonly StoredEvent[],
  cursor: number,
  limits: FollowRequest,
): readonly StoredEvent[] {
  const from = firstAfter(events, cursor);
  let bytes = 0;
  let to = from;
  while (to < events.length && to - from < limits.maxEvents && bytes < limits.maxBytes) {
    bytes += events[to]!.data.length;
    to += 1;
  }
  return events.slice(from, to);
}
