import type { Head, Page } from '../store/store.ts';
import type { Chunk } from '../wakeups/plane.ts';
import { createRing, firstAfter, type Ring, type RingLimits } from './ring.ts';

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
  /** Resolves when the head has moved since `seen`, when the signal aborts, or after `timeoutMs`. Throws what it failed with. */
  changed(seen: Head, signal: AbortSignal, timeoutMs: number | null): Promise<void>;
}

/** Watches a run whose head is known. */
export function createWatch(run: number, first: Head, limits: RingLimits): Watch {
  let head = first;
  const ring = createRing(first.lastSeq, limits);
  const waiters = new Set<() => void>();
  let failure: Error | null = null;

  function learn(news: Head): boolean {
    // Heads come in any order, and one that a commit here made knows nothing of retention: each mark only moves on.
    const further = news.lastSeq > head.lastSeq;
    const removedThrough = Math.max(head.removedThrough, news.removedThrough);
    if (!further && removedThrough === head.removedThrough) return false;
    head = { ...(further ? news : head), removedThrough };
    for (const wake of [...waiters]) wake();
    return true;
  }

  return {
    run,
    ring,
    head: () => head,
    learn,
    hear: (chunk) => {
      ring.take(chunk);
      learn(chunk.head);
    },
    takePage: (start, page) => {
      const last = page.events.at(-1);
      if (last) {
        const reached = last.seq === page.head.lastSeq ? page.head : { ...page.head, lastSeq: last.seq };
        const events = page.events.slice(firstAfter(page.events, start));
        ring.take({ previousSeq: start, events, head: reached });
      }
      learn(page.head);
    },
    fail: (error) => {
      failure = error;
      for (const wake of [...waiters]) wake();
    },
    changed: (seen, signal, timeoutMs) => {
      if (failure) return Promise.reject(failure);
      if (head !== seen || signal.aborted) return Promise.resolve();
      return new Promise((resolve, reject) => {
        const timer = timeoutMs === null ? undefined : setTimeout(done, timeoutMs);
        function done(): void {
          waiters.delete(done);
          signal.removeEventListener('abort', done);
          clearTimeout(timer);
          if (failure) reject(failure);
          else resolve();
        }
        waiters.add(done);
        signal.addEventListener('abort', done, { once: true });
      });
    },
  };
}
