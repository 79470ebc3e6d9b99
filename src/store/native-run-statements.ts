import type { JobDialect } from './job-statements.ts';

/** The statements for followed runs on both databases, in the notation of `job-statements.ts`. */
const TEMPLATES = {
  // Runs first because it locks the run's row: nothing can be appended between it and the insert.
  fenceEmptyLog: `UPDATE run SET fence = @owner
    WHERE key = @run AND terminal_seq IS NULL AND last_seq = -1 AND fence IS NULL`,

  insertNativeRun: `INSERT INTO native_run (run, source, session_id, spec_hash, created_at, lease_owner, lease_until)
    VALUES (@run, @source, @sessionId, @specHash, NOW_MS, @owner, NOW_MS + CAST(@leaseMs AS BIGINT))`,

  fenceLog: 'UPDATE run SET fence = @owner WHERE key = @run',

  readNativeRun: `SELECT n.run, n.source, n.session_id AS "sessionId", n.spec_hash AS "specHash",
      n.created_at AS "createdAt", r.workspace, r.id AS "runId", NOW_MS AS "now"
    FROM native_run n JOIN run r ON r.key = n.run WHERE n.run = @run`,

  // Skips a run whose row others hold, too: its log cannot be opened to the new owner now.
  takeNativeRun: `UPDATE native_run
    SET lease_owner = CAST(@owner AS TEXT), lease_until = NOW_MS + CAST(@leaseMs AS BIGINT)
    WHERE run IN (
      SELECT n.run FROM native_run n JOIN run r ON r.key = n.run
      WHERE n.settled_at IS NULL AND n.lease_until <= NOW_MS AND NOT (n.run IN_RUNS)
      ORDER BY n.lease_until LIMIT 1 SKIP_LOCKED
    )
    RETURNING run`,

  renewNativeRuns: `UPDATE native_run SET lease_until = NOW_MS + CAST(@leaseMs AS BIGINT)
    WHERE run IN_RUNS AND lease_owner = @owner
      AND EXISTS (SELECT 1 FROM run r WHERE r.key = native_run.run AND r.terminal_seq IS NULL)
    RETURNING run`,

  recallNativeRuns: `UPDATE native_run SET lease_until = NOW_MS + CAST(@leaseMs AS BIGINT)
    WHERE settled_at IS NULL AND lease_until > NOW_MS + CAST(@leaseMs AS BIGINT)`,

  readNow: 'SELECT NOW_MS AS "now"',

  giveNativeRunBack: 'UPDATE native_run SET lease_until = 0 WHERE run = @run AND lease_owner = @owner',

  settleNativeRun: `UPDATE native_run SET settled_at = NOW_MS
    WHERE run = @run AND settled_at IS NULL
      AND EXISTS (SELECT 1 FROM run r WHERE r.key = native_run.run AND r.terminal_seq IS NOT NULL)`,
} as const;

/** The name of one of these statements. */
export type NativeRunStatementName = keyof typeof TEMPLATES;

/** Returns a statement in a dialect's SQL, with its parameters still named. */
export function nativeRunStatement(
  name: NativeRunStatementName,
  { nowMs, skipLocked, inRuns }: JobDialect,
): string {
  return TEMPLATES[name]
    .replaceAll('NOW_MS', nowMs)
    .replace('IN_RUNS', inRuns)
    .replace('SKIP_LOCKED', skipLocked);
}
