import type { Ingest } from '../ingest/ingest.ts';
import type { RunKey } from '../store/run-keys.ts';

/**
 * Ends a run that has no runner left to end it: appends the server's terminal event with outcome `cancelled`.
 * Returns false if the run had already ended.
 */
export async function endRun(ingest: Ingest, run: RunKey, reason: string): Promise<boolean> {
  const data = JSON.stringify({ outcome: 'cancelled', reason, at: new Date().toISOString() });
  const verdict = await ingest.appendOwn(run, { kind: 'runtime_terminal', data });
  return verdict.ok;
}
