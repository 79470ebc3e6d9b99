import { rested } from '../lib/rested.ts';
import type { Store } from '../store/store.ts';
import { createSweeper } from './sweep.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/** When removal happens, and who hears of it. */
export interface RetentionOptions {
  /** How long ended runs keep their history; null: for ever, nothing is ever removed. */
  readonly days: number | null;
  /** Until the first sweep: a process that starts has more urgent things to do. Default 2 s. */
  readonly firstMs?: number;
  /** Between two sweeps. Default 10 minutes. */
  readonly intervalMs?: number;
  /** Hears how many runs lost their history, if any did. */
  readonly onRemoved?: (runs: number) => void;
  /** Hears of a sweep that failed; the next one goes on from there. */
  readonly onError?: (error: unknown) => void;
}

/** A removal that goes on by itself. */
export interface Retention {
  /** Ends it; resolves when the step under way is done. */
  close(): Promise<void>;
}

/** Removes the history of old runs now and then, until it is closed. Any number of processes may do so at once. */
export function startRetention(store: Store, options: RetentionOptions): Retention {
  const { days, firstMs = 2_000, intervalMs = 600_000, onRemoved, onError } = options;
  const closing = new AbortController();
  const { signal } = closing;
  const sweeper = createSweeper(store);

  async function sweepForEver(keepMs: number): Promise<void> {
    for (let pauseMs = firstMs; await rested(pauseMs, signal); pauseMs = intervalMs) {
      try {
        const runs = await sweeper.sweep(Date.now() - keepMs, signal);
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
