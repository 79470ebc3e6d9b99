import type { RunKey } from '../../store/run-keys.ts';
import type { AskedContext } from '../context.ts';

/** The valid ids of runs. Any other id never reaches the database. */
export const RUN_ID_PATTERN = /^[A-Za-z0-9_.:-]{1,128}$/;

/**
 * Returns the run with this id in the caller's workspace, or null. Also returns null for an invalid id, and
 * to a runner for every run except its own.
 */
export async function findRun(context: AskedContext, runId: string): Promise<RunKey | null> {
  if (!RUN_ID_PATTERN.test(runId)) return null;
  const { principal } = context;
  if (principal.kind === 'runner' && principal.runId !== runId) return null;
  return context.runKeys.find(principal.workspace, runId);
}
