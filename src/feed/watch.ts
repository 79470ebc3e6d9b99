import type { Head, Page } from '../store/store.ts';
import type { Chunk } from '../wakeups/plane.ts';
import { firstAfter, type Ring } from './ring.ts';
import type { Rings } from './rings.ts';

/** One run that somebody follows: its newest events, its head as far as known, and who waits for more. */
export interface Watch {
  readonly run: number;
  readonly ring: Ring;
  head(): Head;
  /** Takes a head that was read from the store; one that is older changes nothing. Answers whether it was news. */
  learn(head: Head): boolean;
  /** Takes what was just committed here. */
  hear(chunk: Chunk): void;
  /** Takes what a page has after a head of this log, so that nobody need read it again. */
  takePage(start: number, page: Page): void;
  /** Ends it: readers that wait for news get the error. */
  fail(error: Error): void;
  /** Makes a waiter for one reader; to be closed when that leaves. */
  wait(signal: AbortSignal): Waiter;
  /** Gives up its ring: nobody follows the run any more. */
  close(): void;
}

/** One reader's wait for news, again and again. */
export interface Waiter {
  /** Resolves when the head is another than `seen`, when the signal aborts, or after `timeoutMs`. Throws what the watch failed with. */
  changed(seen: Head, timeoutMs: number | null): Promise<void>;
  close(): void;
}

/** Watches a run whose head is known. */
export function createWatch(run: number, first: Head, rings: Rings): Watch {
  let head = first;
  const ring = rings.open(first.lastSeq);
  let closed = false;
  const waiters = new Set<() => void>();
  let failure: Error | null = null;

  function learn(news: Head): boolean {
    // Heads come in any order, and one that a commit here made knows nothing of retention: each mark only moves on.
    const further = news.lastSeq > head.lastSeq;
    const removedThrough = Math.max(head.removedThrough, news.removedThrough);
    if (!further && removedThrough === head.removedThrough) return false;
    head = { ...(further ? news : head), removedThrough };
    for (const wake of waiters) wake();
    return true;
  }

  return {
    run,
    ring,
    head: () => head,
    learn,
    hear: (chunk) => {
      if (!closed) rings.take(ring, chunk);
      learn(chunk.head);
    },
    takePage: (start, page) => {
      const last = page.events.at(-1);
      if (last) {
        const reached = last.seq === page.head.lastSeq ? page.head : { ...page.head, lastSeq: last.seq };
        const events = page.events.slice(firstAfter(page.events, start));
        if (!closed) rings.take(ring, { previousSeq: start, events, head: reached });
      }
      learn(page.head);
    },
    fail: (error) => {
      failure = error;
      for (const wake of waiters) wake();
    },
    close: () => {
      closed = true;
      rings.release(ring);
    },
    wait: (signal) => {
      let end: (() => void) | null = null;
      const abort = () => end?.();
      // Once for all its waits: a listener for each cost as much as the rest of a delivery.
      signal.addEventListener('abort', abort);
      return {
        changed: (seen, timeoutMs) => {
          if (failure) return Promise.reject(failure);
          if (head !== seen || signal.aborted) return Promise.resolve();
          return new Promise((resolve, reject) => {
            const done = () => {
              waiters.delete(done);
              end = null;
              clearTimeout(timer);
              if (failure) reject(failure);
              else resolve();
            };
            const timer = timeoutMs === null ? undefined : setTimeout(done, timeoutMs);
            end = done;
            waiters.add(done);
          });
        },
        close: () => {
          signal.removeEventListener('abort', abort);
          end?.();
        },
      };
    },
  };
}
