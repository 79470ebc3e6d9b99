import type { NewRun, RunRecord, Store } from '../store/store.ts';
import type { WakeupPlane } from '../wakeups/plane.ts';

/** A run with the requested id already exists, but with another provider or runtime. */
export class RunConflict extends Error {
  override readonly name = 'RunConflict';
}

/** A run, and whether the call created it. */
export interface CreatedRun {
  readonly run: RunRecord;
  readonly created: boolean;
}

/**
 * Creates a run and announces it. An existing run with the same provider and runtime is returned unchanged.
 * Throws {@link RunConflict}.
 */
export async function createRun(
  { store, wakeups }: { readonly store: Pick<Store, 'createRun'>; readonly wakeups: WakeupPlane },
  request: Omit<NewRun, 'createdAt'>,
): Promise<CreatedRun> {
  const { provider, runtime } = request;
  const { run, created } = await store.createRun({ ...request, createdAt: Date.now() });
  if (run.provider !== provider || run.runtime !== runtime) {
    throw new RunConflict(
      `run ${run.id} already exists (${run.provider}, ${run.runtime}): choose another id`,
    );
  }
  if (created) {
    const { key, workspace } = run;
    wakeups.publish([{ run: key, workspace, kind: 'created', lastSeq: -1, chunk: null }]);
  }
  return { run, created };
}
