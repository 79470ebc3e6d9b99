import { setTimeout as sleep } from 'node:timers/promises';
import type { EndedPlace, EndedRun, PageLimits, Store } from '../store/store.ts';

/** How much one step of a sweep does. */
export interface SweepLimits {
  /** The most runs in one read. */
  readonly runs: number;
  /** The most that one delete removes: in the embedded store, all other writes wait for it. */
  readonly step: PageLimits;
}

export const SWEEP_LIMITS: SweepLimits = {
  runs: 500,
  step: { maxEvents: 1_000, maxBytes: 4 * 1024 * 1024 },
};

/** Removes the history of old runs. */
export interface Sweeper {
  /**
   * Removes the history of every run that ended before `endedBefore` (Unix milliseconds), in the order of
   * their ends. Returns the number of runs that had one. Ends early if the signal aborts. Throws the store's
   * faults. A later sweep completes what any process left unfinished.
   */
  sweep(endedBefore: number, signal: AbortSignal): Promise<number>;
}

/** The position before every ended run. */
const START: EndedPlace = { endedAt: -1, key: -1 };

/** Creates a sweeper that remembers its position, so that it checks each run only once. */
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

/** Removes all history of a run. Returns false if the signal aborts first. */
async function removeHistory(
  store: Store,
  { key }: EndedRun,
  step: PageLimits,
  signal: AbortSignal,
): Promise<boolean> {
  // Durable before anything is deleted: concurrent readers see the gap, and a crash leaves work, not a hidden
  // gap.
  await store.markRemoved(key);
  for (let through: number | null = -1; through !== null; ) {
    if (signal.aborted) return false;
    const after: number = through;
    through = await paced(() => store.deleteRemoved(key, after, step), signal);
  }
  await store.setTerminalAside(key);
  return true;
}

/** Pauses for as long as the work took, so that removal takes at most half of the store's time. */
async function paced<Value>(work: () => Promise<Value>, signal: AbortSignal): Promise<Value> {
  const began = performance.now();
  const value = await work();
  await sleep(performance.now() - began, undefined, { signal }).catch(() => {});
  return value;
}
