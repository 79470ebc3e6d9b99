import { unlessAborted } from '../lib/cancellable.ts';
import type { Turns } from '../lib/turns.ts';
import type { Head, Page, StoredEvent } from '../store/store.ts';
import type { Pages } from './pages.ts';
import { cutPortion, type PortionLimits, passFrom } from './portion.ts';
import { firstAfter } from './ring.ts';
import type { Watch } from './watch.ts';

/** What to follow, from where, in what portions. */
export interface FollowRequest extends PortionLimits {
  readonly run: number;
  /** Number of the last event seen; -1 from the start. */
  readonly after: number;
  /** Who shares turns of the loop with itself alone; absent: the reader is one of its own. */
  readonly owner?: object | undefined;
  /** When nothing comes for so long, a step without events is made. Asked anew before every wait; null: never. */
  readonly idleMs: () => number | null;
}

/**
 * A step through a log: events in order, or a hole that retention left, or nothing but events that were passed over or
 * the time that passed.
 */
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
  /** Bytes that the next value takes where it goes, as far as it is at hand; 0: nothing is, or little. */
  weight(): number;
  /** Whether nothing will come any more. */
  ended(): boolean;
  /** Resolves when it is worth taking again. One wait at a time. */
  ready(): Promise<void>;
  /** Gives up what it holds. */
  close(): void;
}

/** What all readers share. */
export interface Shared {
  readonly pages: Pages;
  /** Turns of the loop for looking through events, by their number. */
  readonly passing: Turns;
  /** What looking through a page costs before it has been read. */
  readonly pageEvents: number;
}

/**
 * A place in a watched run. Ring and pages belong to all readers, so one that stalls holds no more than the step that
 * it has been handed. Ends after the terminal event, or when the signal aborts; `release` is called once it is closed.
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
  /** A page that was read for this place. */
  let read: Page | undefined;
  /** What the wait is for: a page, or a head that is another than this one. */
  let awaited: 'page' | Head = 'page';
  /** What the wait is for instead: a turn of the loop in which to look through events. */
  let turn: Promise<void> | null = null;
  /** Whether that turn has come, and has not been used. */
  let admitted = false;

  const isInRing = () => cursor >= watch.ring.from() && cursor < watch.ring.to();

  return {
    take: () => {
      while (!ended && !signal.aborted) {
        const head = watch.head();
        const place = cursor;
        // Used now or never: at a later place it would have nothing, and that would look like the end.
        const fresh = read;
        read = undefined;
        /** Where what follows the cursor is. */
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
            // Before the read: what waits for a turn would hold its page, which may be one of its own.
            if (kinds !== null && !admitted) {
              turn = passing.take(owner, pageEvents);
              if (turn) return null;
              admitted = true;
            }
            awaited = 'page';
            return null;
          }
          watch.learn(page.head);
          // Retention was faster than this reader.
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
            // A page that was read for this place is found again, or read again.
            if (turn) return null;
            admitted = false;
            const passed: StoredEvent[] = [];
            cursor = source[passFrom(source, next, kinds, request, passed) - 1]!.seq;
            events = passed;
          }
        } else if (gap === null && cursor < head.lastSeq) {
          // A read that began before the last commit was shared: the next one has what follows.
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
