import { ShuttingDown } from '../ingest/faults.ts';

/** Queries and mutations that are being answered, so that a stop can wait for them. */
export interface InFlight {
  /** Runs the work and counts it until its answer is there. Throws {@link ShuttingDown} once draining. */
  track<Value>(work: () => Promise<Value>): Promise<Value>;
  /** Lets nothing new in and resolves when what is in has been answered. */
  drain(): Promise<void>;
  draining(): boolean;
}

/** Counts from nothing. */
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
