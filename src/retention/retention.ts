import { createEvenClock } from '../lib/waiting/even-clock.ts';
import { rested } from '../lib/waiting/rested.ts';
import type { Store } from '../store/store.ts';
import { createSweeper } from './sweep.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const PROOF_MS = 60 * 60 * 1000;

/** When history is removed, and callbacks. */
export interface RetentionOptions {
  /** How many days ended runs keep their history. Null: nothing is ever removed. */
  readonly days: number | null;
  /** Delay of the first sweep, since a starting process has more urgent things to do. Defaults to 2 s. */
  readonly firstMs?: number;
  /** Pause between two sweeps. Defaults to 10 minutes. */
  readonly intervalMs?: number;
  /** How long the database's clock must run evenly before anything is removed. Defaults to an hour. */
  readonly proofMs?: number;
  /** Replaced only in tests. */
  readonly monotonic?: () => number;
  /** Is called after a sweep with the number of runs that lost their history, unless it is 0. */
  readonly onRemoved?: (runs: number) => void;
  /** Is called when a sweep fails. The next one continues from there. */
  readonly onError?: (error: unknown) => void;
}

/** A periodic removal of history. */
export interface Retention {
  /** Stops removing. Resolves when the current step is done. */
  close(): Promise<void>;
}

/** Removes the history of old runs periodically until closed. Any number of processes may do so at once. */
export function startRetention(store: Store, options: RetentionOptions): Retention {
  const { days, firstMs = 2_000, intervalMs = 600_000, proofMs = PROOF_MS, onRemoved, onError } = options;
  const { monotonic = () => performance.now() } = options;
  const clock = createEvenClock(monotonic);
  const closing = new AbortController();
  const { signal } = closing;
  const sweeper = createSweeper(store);

  /**
   * Returns the database's time, or null while it is not believed. A machine may start with a clock that is days
   * ahead and corrected only once its network is up, and what is removed cannot be brought back. So a clock is
   * believed after it has run evenly for an hour, and nothing that was stored by it proves it any earlier.
   */
  async function provenTime(): Promise<number | null> {
    const askedAt = monotonic();
    const now = await store.readClock();
    clock.note(now, askedAt);
    return clock.evenMs() >= proofMs ? now : null;
  }

  async function sweepForEver(keepMs: number): Promise<void> {
    for (let pauseMs = firstMs; await rested(pauseMs, signal); pauseMs = intervalMs) {
      try {
        const now = await provenTime();
        const runs = now === null ? 0 : await sweeper.sweep(now - keepMs, signal);
        if (runs > 0) onRemoved?.(runs);
      } catch (error) {
        onError?.(error);
      }
    }
  }

  const running = days === null ? Promise.resolve() : sweepForEver(days * DAY_MS);
  return {
    close: async () => {
      closing.abort();
      await running;
    },
  };
}
