import { JOB_LIMITS } from '../../src/jobs/reconcile/limits.ts';
import { startSweep } from '../../src/jobs/reconcile/sweep.ts';
import type { Store } from '../../src/store/store.ts';
import type { FoundObject, Substrate } from '../../src/substrates/substrate.ts';

/**
 * Sweeps twice for a server with this store, since a sweep spares what it finds for the first time. Returns what
 * the second one removed.
 */
export async function sweepTwice(store: Store, substrate: Substrate): Promise<readonly FoundObject[]> {
  const substrates = new Map([['process', substrate]] as const);
  const limits = { ...JOB_LIMITS, sweepGraceMs: 0 };
  const log = { info: () => {}, warn: () => {}, error: () => {} };
  const sweep = startSweep({ store, substrates, mode: 'remove', limits, log });
  await sweep.run();
  const removed = await sweep.run();
  await sweep.close();
  return removed;
}
