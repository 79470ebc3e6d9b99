import type { Config } from '../config/env.ts';
import type { ProviderRuntimeKind } from '../contract/jobs.ts';
import { rested } from '../lib/rested.ts';
import type { Store } from '../store/store.ts';
import type { JobLimits } from './limits.ts';
import type { JobLog } from './reconciler.ts';
import type { FoundObject, Substrate } from './substrate.ts';

/** What a sweep needs. */
export interface SweepOptions {
  readonly store: Store;
  readonly substrates: ReadonlyMap<ProviderRuntimeKind, Substrate>;
  readonly mode: Config['orphanSweep'];
  readonly limits: JobLimits;
  readonly log: JobLog;
}

/** Looks for orphans. */
export interface Sweep {
  /** Looks once; answers what it removed, or would have. Happens by itself every `sweepMs`. */
  run(): Promise<readonly FoundObject[]>;
  close(): Promise<void>;
}

/**
 * Finds what carries our mark on a substrate and belongs to no job that goes on: made by a start whose row was lost, or
 * left by a removal that was. Young ones are spared, since their job may be about to learn of them, and so are those
 * that no earlier sweep has seen.
 */
export function startSweep({ store, substrates, mode, limits, log }: SweepOptions): Sweep {
  let suspects: ReadonlySet<string> = new Set();

  async function isOrphan({ workspaceId, runId, createdAt, ownedIfHash }: FoundObject): Promise<boolean> {
    if (Date.now() < createdAt + limits.sweepGraceMs) return false;
    const run = await store.findRun(workspaceId, runId);
    const job = run && (await store.jobs.read([run.key])).get(run.key)?.job;
    if (ownedIfHash !== null && job?.specHash !== ownedIfHash) return false;
    return !job || job.settledAt !== null;
  }

  /** One that cannot be removed now must not keep the others. */
  async function isRemoved(substrate: Substrate, { runId, handle }: FoundObject): Promise<boolean> {
    try {
      await substrate.remove(handle);
      return true;
    } catch (error) {
      log.warn({ err: error, runId, substrate: substrate.kind }, 'an orphan could not be removed');
      return false;
    }
  }

  async function sweepOne(substrate: Substrate, seen: Set<string>): Promise<FoundObject[]> {
    const removed: FoundObject[] = [];
    for (const found of await substrate.list()) {
      if (!(await isOrphan(found))) continue;
      const { runId, handle } = found;
      const name = JSON.stringify([substrate.kind, handle.appName, handle.machineId]);
      seen.add(name);
      if (!suspects.has(name)) continue;
      log.warn(
        { runId, substrate: substrate.kind, machineId: handle.machineId, mode },
        'an object belongs to no job',
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
        log.warn({ err: error, substrate: substrate.kind }, 'looking for orphans failed');
      }
    }
    suspects = seen;
    return removed;
  }

  const closing = new AbortController();
  async function sweepForEver(): Promise<void> {
    // The first time as late as any other: who starts has jobs to learn of first.
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
