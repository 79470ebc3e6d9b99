import type { Principal } from '../auth/principal.ts';
import type { RunKey, RunKeys } from '../store/run-keys.ts';

/** The valid ids of runs. Any other id never reaches the database. */
export const RUN_ID_PATTERN = /^[A-Za-z0-9_.:-]{1,128}$/;

/** {@link RUN_ID_PATTERN} in words, for messages and descriptions. */
export const RUN_ID_RULE = '1 to 128 characters from A-Z a-z 0-9 _ . : -';

/** A caller, and the keys of the runs in the store. */
export interface RunSeeker {
  readonly runKeys: RunKeys;
  readonly principal: Principal;
}

/**
 * Returns the run with this id in the caller's workspace, or null. Also returns null for an invalid id, and
 * to a runner for every run except its own.
 */
export function findRun({ runKeys, principal }: RunSeeker, runId: string): Promise<RunKey | null> {
  const isRefused = principal.kind === 'runner' && principal.runId !== runId;
  if (isRefused || !RUN_ID_PATTERN.test(runId)) return Promise.resolve(null);
  return runKeys.find(principal.workspace, runId);
}

/** Returns the same message for a missing run, a run of another workspace, and an impossible id. */
export function unknownRunMessage(runId: string): string {
  return `run ${JSON.stringify(runId.slice(0, 128))} not found: create it first`;
}
