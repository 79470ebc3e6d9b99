import { setTimeout as sleep } from 'node:timers/promises';
import type { EndedPlace, EndedRun, PageLimits, Store } from '../store/store.ts';

/** How much one step of a removal does. */
export interface SweepLimits {
  /** Runs that are looked at in one read. */
  readonly runs: number;
  /** What one delete takes: with the embedded store everybody else waits that long. */
  readonly step: PageLimits;
}

export const SWEEP_LIMITS: SweepLimits = {
  runs: 500,
  step: { maxEvents: 1_000, maxBytes: 4 * 1024 * 1024 },
};

/** Removes what is old. */
export interface Sweeper {
  /**
   * Removes the history of every run that ended before then (Unix milliseconds), oldest end first, and answers how
   * many runs had one. Ends early when the signal aborts; throws the store's faults. What was left undone, by
   * whomever, is done by a later sweep.
   */
  sweep(endedBefore: number, signal: AbortSignal): Promise<number>;
}

/** Before every ended run. */
const START: EndedPlace = { endedAt: -1, key: -1 };

/** A sweeper that remembers how far it has come, so that each run is looked at once in its lifetime. */
export function createSweeper(store: Store, limits: SweepLimits = SWEEP_LIMITS): Sweeper {
  let done = START;

  async function sweep(endedBefore: number, signal: AbortSignal): Promise<number> {
    let removed = 0;
    while (!signal.aborted) {
      const runs = await paced(() => store.readEnded(done, endedBefore, limits.runs), signal);
      for (const run of runs) {
        if (!run.removed) {
          if (!(await removeHistory(store, run, limits.step, signal))) return removed;
          removed += 1;
        }
        done = run;
      }
      if (runs.length < limits.runs) break;
    }
    return removed;
  }

  return { sweep };
}

/** Answers whether all of it is gone; not when the signal aborted first. */
async function removeHistory(
  store: Store,
  { key }: EndedRun,
  step: PageLimits,
  signal: AbortSignal,
): Promise<boolean> {
  // Durable before anything goes: whoever reads meanwhile learns of the hole, and a crash leaves work, not silence.
  await store.markRemoved(key);
  for (let through: number | null = -1; through !== null; ) {
    if (signal.aborted) return false;
    const after: number = through;
    through = await paced(() => store.deleteRemoved(key, after, step), signal);
  }
  await store.setTerminalAside(key);
  return true;
}

/** Rests as long as the work took: removal never takes more than half of anybody's time. */
async function paced<Value>(work: () => Promise<Value>, signal: AbortSignal): Promise<Value> {
  const began = performance.now();
  const value = await work();
  await sleep(performance.now() - began, undefined, { signal }).catch(() => {});
  return value;
}
