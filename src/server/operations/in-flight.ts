import { ShuttingDown } from '../../ingest/faults.ts';

/** Tracks queries and mutations in progress, so that a shutdown can wait for them. */
export interface InFlight {
  /** Runs the work and counts it until it settles. Throws {@link ShuttingDown} once draining. */
  track<Value>(work: () => Promise<Value>): Promise<Value>;
  /** Refuses new work and resolves when all work in progress has settled. */
  drain(): Promise<void>;
  draining(): boolean;
}

/** Creates a tracker with no work in progress. */
export function createInFlight(): InFlight {
  let count = 0;
  let draining = false;
  let idle = () => {};
  return {
    track: async (work) => {
      if (draining) throw new ShuttingDown();
      count += 1;
      try {
        return await work();
      } finally {
        count -= 1;
        if (count === 0) idle();
      }
    },
    drain: () => {
      draining = true;
      return count === 0 ? Promise.resolve() : new Promise((resolve) => (idle = resolve));
    },
    draining: () => draining,
  };
}
