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
  /** How long the database's clock must run evenly before it is believed. Defaults to an hour. */
  readonly proofMs?: number;
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
  const startedAt = performance.now();
  const clock = createEvenClock();
  const closing = new AbortController();
  const { signal } = closing;
  const sweeper = createSweeper(store);

  /**
   * Returns a time that has certainly come. A machine may start with a clock that is days ahead and corrected only
   * once its network is up, and what is removed cannot be brought back. So a clock is believed after it has run
   * evenly for an hour. Before that, time counts from the latest end of a run.
   */
  async function provenTime(): Promise<number> {
    const askedAt = performance.now();
    const { now, newestEnd } = await store.readClock();
    clock.note(now, askedAt);
    const even = now - clock.leaptMs(proofMs);
    const runningMs = performance.now() - startedAt;
    const proven = runningMs >= proofMs ? even : Math.min(even, (newestEnd ?? even) + runningMs);
    // Postgres takes whole milliseconds only.
    return Math.floor(proven);
  }

  async function sweepForEver(keepMs: number): Promise<void> {
    for (let pauseMs = firstMs; await rested(pauseMs, signal); pauseMs = intervalMs) {
      try {
        const runs = await sweeper.sweep((await provenTime()) - keepMs, signal);
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
