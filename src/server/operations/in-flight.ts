import { ShuttingDown } from '../../ingest/faults.ts';

/** Tracks queries and mutations in progress, so that a shutdown can wait for them. */
export interface InFlight {
  /**
   * Counts an operation until the returned function is called, which must happen once. Throws
   * {@link ShuttingDown} once draining.
   */
  enter(): () => void;
  /** Refuses new work and resolves when all work in progress has settled. */
  drain(): Promise<void>;
  draining(): boolean;
}

/** Creates a tracker with no work in progress. */
export function createInFlight(): InFlight {
  let count = 0;
  let draining = false;
  let idle = () => {};
  const leave = () => {
    count -= 1;
    if (count === 0) idle();
  };
  return {
    enter: () => {
      if (draining) throw new ShuttingDown();
      count += 1;
      return leave;
    },
    drain: () => {
      draining = true;
      return count === 0 ? Promise.resolve() : new Promise((resolve) => (idle = resolve));
    },
    draining: () => draining,
  };
}
