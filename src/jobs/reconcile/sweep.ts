import type { Config } from '../../config/env.ts';
import type { ProviderRuntimeKind } from '../../contract/jobs.ts';
import { rested } from '../../lib/waiting/rested.ts';
import { createPauses } from '../../lib/waiting/turns.ts';
import type { Store } from '../../store/store.ts';
import type { FoundObject, JobLog, Substrate } from '../../substrates/substrate.ts';
import type { JobLimits } from './limits.ts';

/** What {@link startSweep} works with. */
export interface SweepOptions {
  readonly store: Store;
  readonly substrates: ReadonlyMap<ProviderRuntimeKind, Substrate>;
  readonly mode: Config['orphanSweep'];
  readonly limits: JobLimits;
  readonly log: JobLog;
}

/** Looks for orphans: objects on a substrate that belong to no job. */
export interface Sweep {
  /** Sweeps once and returns what it removed, or would have removed. Also runs every `sweepMs`. */
  run(): Promise<readonly FoundObject[]>;
  close(): Promise<void>;
}

/**
 * Starts to look for objects that carry runfeed's mark but belong to no unsettled job, left by a start whose
 * row was lost or by a lost removal. Spares young objects, whose job may be about to learn of them, and
 * objects new to this sweep.
 */
export function startSweep({ store, substrates, mode, limits, log }: SweepOptions): Sweep {
  const pauses = createPauses();
  const closing = new AbortController();
  let suspects: ReadonlySet<string> = new Set();

  async function isOrphan({ workspaceId, runId, createdAt, ownedIfHash }: FoundObject): Promise<boolean> {
    if (Date.now() < createdAt + limits.sweepGraceMs) return false;
    const run = await store.findRun(workspaceId, runId);
    const job = run && (await store.jobs.read([run.key])).get(run.key)?.job;
    if (ownedIfHash !== null && job?.specHash !== ownedIfHash) return false;
    return !job || job.settledAt !== null;
  }

  /** An object that cannot be removed now must not hold up the others. */
  async function isRemoved(substrate: Substrate, { runId, handle }: FoundObject): Promise<boolean> {
    try {
      await substrate.remove(handle);
      return true;
    } catch (error) {
      log.warn({ err: error, runId, substrate: substrate.kind }, 'could not remove an orphan');
      return false;
    }
  }

  async function sweepOne(substrate: Substrate, seen: Set<string>): Promise<FoundObject[]> {
    const removed: FoundObject[] = [];
    const pause = pauses();
    for (const found of await substrate.list()) {
      // SQLite answers within the same turn of the event loop, and there may be tens of thousands.
      await pause();
      if (closing.signal.aborted) break;
      if (!(await isOrphan(found))) continue;
      const { runId, handle } = found;
      const name = JSON.stringify([substrate.kind, handle.appName, handle.machineId]);
      seen.add(name);
      if (!suspects.has(name)) continue;
      log.warn(
        { runId, substrate: substrate.kind, machineId: handle.machineId, mode },
        'found an object that belongs to no job',
      );
      if (mode === 'remove' && !(await isRemoved(substrate, found))) continue;
      removed.push(found);
    }
    return removed;
  }

  async function run(): Promise<readonly FoundObject[]> {
    const seen = new Set<string>();
    const removed: FoundObject[] = [];
    for (const substrate of substrates.values()) {
      try {
        removed.push(...(await sweepOne(substrate, seen)));
      } catch (error) {
        log.warn({ err: error, substrate: substrate.kind }, 'could not look for orphans');
      }
    }
    suspects = seen;
    return removed;
  }

  async function sweepForEver(): Promise<void> {
    // The first sweep waits like any other: a server that starts has jobs to learn of first.
    while (await rested(limits.sweepMs, closing.signal)) await run();
  }
  const running = mode === 'off' ? Promise.resolve() : sweepForEver();
  return {
    run,
    close: async () => {
      closing.abort();
      await running;
    },
  };
}
