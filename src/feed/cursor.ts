import { unlessAborted } from '../lib/cancellable.ts';
import type { Turns } from '../lib/waiting/turns.ts';
import type { Head, Page, StoredEvent } from '../store/store.ts';
import type { Pages } from './pages.ts';
import { cutPortion, type PortionLimits, passFrom } from './portion.ts';
import { firstAfter } from './ring.ts';
import type { Watch } from './watch.ts';

/** What to follow, from where, and in what portions. */
export interface FollowRequest extends PortionLimits {
  readonly run: number;
  /** The last `seq` that the reader has seen. -1 reads from the start. */
  readonly after: number;
  /** The client. Its readers share its turns of the event loop. Defaults to this reader alone. */
  readonly owner?: object | undefined;
  /** Milliseconds without news after which to return an empty step; null: never. Called before every wait. */
  readonly idleMs: () => number | null;
}

/**
 * A step through a log: events in order, or a gap that retention left. A step with neither means that events
 * were skipped or that `idleMs` passed.
 */
export interface Step {
  readonly events: readonly StoredEvent[];
  /** The reader's place after this step. */
  readonly cursor: number;
  /** The numbers that were removed before the reader reached them. */
  readonly gap: { readonly fromSeq: number; readonly toSeq: number } | null;
  /** The log's head as far as this process knows. */
  readonly head: Head;
}

/**
 * A source that is read at the caller's pace: take values while there are any, else wait, until the reader
 * has ended. A generator would do the same, but a reader of live events spent more time in it than in writing
 * to its socket.
 */
export interface Reader<Value> {
  /** Returns the next value if it is available now, or null. */
  take(): Value | null;
  /**
   * Returns the bytes that the next value takes as written, or 0 if no value or only a small one is
   * available.
   */
  weight(): number;
  /** Returns true if no value will follow. */
  ended(): boolean;
  /** Resolves when `take` is worth calling again. Only one wait at a time is allowed. */
  ready(): Promise<void>;
  /** Releases everything that the reader holds. */
  close(): void;
}

/** What all readers of a feed share. */
export interface Shared {
  readonly pages: Pages;
  /** Turns of the event loop for filtering events. A turn's cost is the number of events. */
  readonly passing: Turns;
  /** The cost to filter a page that has not been read yet. */
  readonly pageEvents: number;
}

/**
 * Creates a reader at a place in a watched run. All readers share the ring and the pages, so a stalled reader
 * holds only the step that it was handed. It ends after the terminal event or when the signal aborts.
 * `release` is called when the reader is closed.
 */
export function createCursor(
  watch: Watch,
  { pages, passing, pageEvents }: Shared,
  request: FollowRequest,
  signal: AbortSignal,
  release: () => void,
): Reader<Step> {
  const { kinds, owner = signal } = request;
  const waiter = watch.wait(signal);
  let cursor = request.after;
  let first = true;
  let ended = false;
  let closed = false;
  /** The page that was read for this place. */
  let read: Page | undefined;
  /** What the reader waits for: a page, or a head that differs from this one. */
  let awaited: 'page' | Head = 'page';
  /** If set, the reader waits for this turn of the event loop instead, to filter events in it. */
  let turn: Promise<void> | null = null;
  /** True if that turn has come and is still unused. */
  let admitted = false;

  const isInRing = () => cursor >= watch.ring.from() && cursor < watch.ring.to();

  return {
    take: () => {
      while (!ended && !signal.aborted) {
        const head = watch.head();
        const place = cursor;
        // Use the page now or drop it: for a later place it might be empty, which would look like the end.
        const fresh = read;
        read = undefined;
        /** The ring's or the page's events, which contain those after the cursor. */
        let source: readonly StoredEvent[] = [];
        let events: readonly StoredEvent[] = [];
        let gap: Step['gap'] = null;
        if (cursor < head.removedThrough) {
          gap = { fromSeq: cursor + 1, toSeq: head.removedThrough };
          cursor = head.removedThrough;
        } else if (isInRing()) {
          source = watch.ring.events();
        } else if (cursor < head.lastSeq) {
          const page = fresh ?? pages.find(watch.run, cursor);
          if (!page) {
            // Taken before the read: a reader that waits for a turn would hold a page that it may not share.
            if (kinds !== null && !admitted) {
              turn = passing.take(owner, pageEvents);
              if (turn) return null;
              admitted = true;
            }
            awaited = 'page';
            return null;
          }
          watch.learn(page.head);
          // Retention has overtaken this reader.
          if (cursor < page.head.removedThrough) continue;
          source = page.events;
        } else if (head.terminalSeq !== null) {
          ended = true;
          return null;
        }
        const next = firstAfter(source, cursor);
        if (next < source.length) {
          if (kinds === null) {
            events = (isInRing() ? watch.ring.portion(cursor, request) : cutPortion(source, next, request))
              .events;
            cursor = events.at(-1)?.seq ?? cursor;
          } else {
            turn = admitted ? null : passing.take(owner, source.length - next);
            // The page that was read for this place will be found in the cache, or read again.
            if (turn) return null;
            admitted = false;
            const passed: StoredEvent[] = [];
            cursor = source[passFrom(source, next, kinds, request, passed) - 1]!.seq;
            events = passed;
          }
        } else if (gap === null && cursor < head.lastSeq) {
          // The page came from a shared read that began before the last commit. The next read has the rest.
          awaited = 'page';
          return null;
        }
        const idleMs = request.idleMs();
        if (first || cursor !== place || (idleMs !== null && idleMs <= 0)) {
          first = false;
          return { events, cursor, gap, head: watch.head() };
        }
        awaited = head;
        return null;
      }
      return null;
    },
    weight: () => {
      if (isInRing()) return watch.ring.portion(cursor, request).bytes;
      return read ? cutPortion(read.events, firstAfter(read.events, cursor), request).bytes : 0;
    },
    ended: () => ended || signal.aborted,
    ready: async () => {
      if (turn) {
        await unlessAborted(turn, signal);
        turn = null;
        admitted = true;
      } else if (awaited === 'page') read = await unlessAborted(pages.read(watch.run, cursor, owner), signal);
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
