import type { RunKey } from '../store/run-keys.ts';
import type { AskedContext } from './context.ts';

/** The ids that a run can have. Anything else never reaches the database. */
export const RUN_ID_PATTERN = /^[A-Za-z0-9_.:-]{1,128}$/;

/**
 * The run of this id in the caller's workspace; null also for an id that no run can have, and to a runner for every run
 * but its own.
 */
export async function findRun(context: AskedContext, runId: string): Promise<RunKey | null> {
  if (!RUN_ID_PATTERN.test(runId)) return null;
  const { principal } = context;
  if (principal.kind === 'runner' && principal.runId !== runId) return null;
  return context.runKeys.find(principal.workspace, runId);
}
