import { unlessAborted } from '../lib/cancellable.ts';
import type { Head, Page, StoredEvent } from '../store/store.ts';
import type { Pages } from './pages.ts';
import { firstAfter } from './ring.ts';
import type { Watch } from './watch.ts';

/** How many bytes an event takes where it goes, at least those of its data. */
export type Weigh = (event: StoredEvent) => number;

/** What to follow, from where, in what portions. */
export interface FollowRequest {
  readonly run: number;
  /** Number of the last event seen; -1 from the start. */
  readonly after: number;
  /** A step ends after so many events … */
  readonly maxEvents: number;
  /** … or with the event that reaches so many bytes. */
  readonly maxBytes: number;
  /** Bytes of an event where it is written to; absent: those of its data. */
  readonly weigh?: Weigh | undefined;
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
 * Something that is read at the pace of whoever takes: take what is at hand, else wait, until it has ended. Generators
 * say the same, but a reader of live events spent more time in them than in writing to its socket.
 */
export interface Reader<Value> {
  /** The next value, if it is at hand. */
  take(): Value | null;
  /** Whether nothing will come any more. */
  ended(): boolean;
  /** Resolves when it is worth taking again. One wait at a time. */
  ready(): Promise<void>;
  /** Gives up what it holds. */
  close(): void;
}

/**
 * A place in a watched run. Ring and pages belong to all readers, so one that stalls holds no more than the step that
 * it has been handed. Ends after the terminal event, or when the signal aborts; `release` is called once it is closed.
 */
export function createCursor(
  watch: Watch,
  pages: Pages,
  request: FollowRequest,
  signal: AbortSignal,
  release: () => void,
): Reader<Step> {
  const waiter = watch.wait(signal);
  let cursor = request.after;
  let first = true;
  let ended = false;
  let closed = false;
  /** A page that was read for this place. */
  let read: Page | undefined;
  /** What the wait is for: a page, or a head that is another than this one. */
  let awaited: 'page' | Head = 'page';

  return {
    take: () => {
      while (!ended && !signal.aborted) {
        const head = watch.head();
        // Used now or never: at a later place it would have nothing, and that would look like the end.
        const fresh = read;
        read = undefined;
        let events: readonly StoredEvent[] = [];
        let gap: Step['gap'] = null;
        if (cursor < head.removedThrough) {
          gap = { fromSeq: cursor + 1, toSeq: head.removedThrough };
          cursor = head.removedThrough;
        } else if (cursor >= watch.ring.from() && cursor < watch.ring.to()) {
          events = portion(watch.ring.events(), cursor, request);
        } else if (cursor < head.lastSeq) {
          const page = fresh ?? pages.find(watch.run, cursor);
          if (!page) {
            awaited = 'page';
            return null;
          }
          watch.learn(page.head);
          // Retention was faster than this reader.
          if (cursor < page.head.removedThrough) continue;
          events = portion(page.events, cursor, request);
        } else if (head.terminalSeq !== null) {
          ended = true;
          return null;
        }
        cursor = events.at(-1)?.seq ?? cursor;
        const idleMs = request.idleMs();
        if (first || gap || events.length > 0 || (idleMs !== null && idleMs <= 0)) {
          first = false;
          return { events, cursor, gap, head: watch.head() };
        }
        awaited = head;
        return null;
      }
      return null;
    },
    ended: () => ended || signal.aborted,
    ready: async () => {
      if (awaited === 'page') read = await unlessAborted(pages.read(watch.run, cursor), signal);
      else await waiter.changed(awaited, request.idleMs());
    },
    close: () => {
      if (closed) return;
      closed = true;
      read = undefined;
      waiter.close();
      release();
    },
  };
}

function portion(
  events: readonly StoredEvent[],
  cursor: number,
  limits: FollowRequest,
): readonly StoredEvent[] {
  const { weigh = weighData } = limits;
  const from = firstAfter(events, cursor);
  let bytes = 0;
  let to = from;
  while (to < events.length && to - from < limits.maxEvents && bytes < limits.maxBytes) {
    bytes += weigh(events[to]!);
    to += 1;
  }
  return events.slice(from, to);
}

function weighData(event: StoredEvent): number {
  return event.data.length;
}
