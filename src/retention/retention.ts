import { rested } from '../lib/rested.ts';
import type { Store } from '../store/store.ts';
import { createSweeper } from './sweep.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/** When history is removed, and callbacks. */
export interface RetentionOptions {
  /** How many days ended runs keep their history. Null: nothing is ever removed. */
  readonly days: number | null;
  /** Delay of the first sweep, since a starting process has more urgent things to do. Defaults to 2 s. */
  readonly firstMs?: number;
  /** Pause between two sweeps. Defaults to 10 minutes. */
  readonly intervalMs?: number;
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
