import type { Head, Page } from '../store/store.ts';
import type { Chunk } from '../wakeups/plane.ts';
import { firstAfter, type Ring } from './ring.ts';
import type { Rings } from './rings.ts';

/** One followed run: its newest events, its head as far as known, and the readers that wait for more. */
export interface Watch {
  readonly run: number;
  readonly ring: Ring;
  head(): Head;
  /** Takes a head that was read from the store. Returns true if it is newer than the known head. */
  learn(head: Head): boolean;
  /** Takes a chunk that was just committed in this process. */
  hear(chunk: Chunk): void;
  /** Takes the events of a page after `start` into the ring, so that no reader need read them again. */
  takePage(start: number, page: Page): void;
  /** Makes all waits fail with this error, now and later. */
  fail(error: Error): void;
  /** Creates a waiter for one reader. The caller must close it. */
  wait(signal: AbortSignal): Waiter;
  /** Releases the ring, since the run has no readers left. */
  close(): void;
}

/** The waits of one reader for news. */
export interface Waiter {
  /**
   * Resolves when the head differs from `seen`, when the signal aborts, or after `timeoutMs` (null: never).
   * Throws the error with which the watch failed.
   */
  changed(seen: Head, timeoutMs: number | null): Promise<void>;
  close(): void;
}

/** Creates the watch of a run whose head is known. */
export function createWatch(run: number, first: Head, rings: Rings): Watch {
  let head = first;
  const ring = rings.open(first.lastSeq);
  let closed = false;
  const waiters = new Set<() => void>();
  let failure: Error | null = null;

  function learn(news: Head): boolean {
    // Heads arrive in any order, and the head of a commit does not know of retention: both marks only move
    // forward.
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
      // One listener for all waits: a listener per wait cost as much as the rest of a delivery.
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
