import type { GivenBack, JobReading, JobRecord, JobState, NewJob } from './jobs.ts';

/**
 * The job statements for both databases. `@name` is a parameter. Words in capitals are replaced: NOW_MS,
 * SKIP_LOCKED, IN_RUNS and GIVEN_BACK by SQL of the dialect, JOB and STATE by columns, CALLABLE and KNOWN by
 * conditions on a job's substrate.
 */
const TEMPLATES = {
  insertJob: `INSERT INTO job (run, status, substrate, host, runner, image, region, cpus, memory_mb,
      max_run_duration_ms, spec_hash, payload, wish, created_at, next_step_at, looked_at)
    SELECT key, 'queued', CAST(@substrate AS TEXT), CAST(@host AS TEXT), CAST(@runner AS TEXT), CAST(@image AS TEXT),
      CAST(@region AS TEXT), CAST(@cpus AS DOUBLE PRECISION), CAST(@memoryMb AS INTEGER),
      CAST(@maxRunDurationMs AS BIGINT), CAST(@specHash AS TEXT), CAST(@payload AS TEXT), 'run', NOW_MS, NOW_MS, NOW_MS
    FROM run WHERE key = @run AND terminal_seq IS NULL
    ON CONFLICT (run) DO NOTHING`,

  closeLog: `UPDATE run SET fence = '' WHERE key = @run`,

  openLog: 'UPDATE run SET fence = @claimInstance WHERE key = @run',

  readJobs: `SELECT JOB, NOW_MS AS "now" FROM job j JOIN run r ON r.key = j.run WHERE j.run IN_RUNS`,

  saveJob: `UPDATE job SET STATE, version = version + 1 WHERE run = @run AND version = @version`,

  // The lease counts as a change, so that a process that read the job before it must read the job again.
  leaseJobs: `UPDATE job SET lease_owner = @owner, lease_until = NOW_MS + CAST(@leaseMs AS BIGINT), version = version + 1
    WHERE run IN (
      SELECT run FROM job
      WHERE settled_at IS NULL AND next_step_at <= NOW_MS AND (lease_until IS NULL OR lease_until <= NOW_MS)
        AND (CALLABLE OR NOT KNOWN)
        AND ((KNOWN AND (host IS NULL OR host = @host)) OR next_step_at <= NOW_MS - CAST(@abandonedMs AS BIGINT))
      ORDER BY next_step_at LIMIT @limit SKIP_LOCKED
    )
    RETURNING run`,

  // A job that others hold is left to the next renewal: the leases of all other jobs would end with its own.
  renewLeases: `UPDATE job SET lease_until = NOW_MS + CAST(@leaseMs AS BIGINT)
    WHERE run IN (SELECT run FROM job WHERE run IN_RUNS AND lease_owner = @owner SKIP_LOCKED)`,

  giveBack: `UPDATE job SET lease_owner = NULL, lease_until = NULL, version = job.version + 1,
      failures = CASE WHEN job.version = g.version THEN g.failures ELSE job.failures END,
      next_step_at = CASE WHEN job.version = g.version THEN NOW_MS + g.due_in ELSE job.next_step_at END,
      status_ms = CASE WHEN job.version = g.version THEN g.status_ms ELSE job.status_ms END,
      looked_at = CASE WHEN job.version = g.version THEN g.looked_at ELSE job.looked_at END
    FROM GIVEN_BACK g WHERE job.run = g.run AND job.lease_owner = @owner`,

  nextDue: `SELECT min(CASE WHEN lease_until > due_at THEN lease_until ELSE due_at END) - NOW_MS AS "dueIn", NOW_MS AS "now" FROM (
      SELECT lease_until, next_step_at + CASE WHEN KNOWN AND (host IS NULL OR host = CAST(@host AS TEXT)) THEN 0
        ELSE CAST(@abandonedMs AS BIGINT) END AS due_at
      FROM job
      WHERE settled_at IS NULL AND (CALLABLE OR NOT KNOWN)
    ) waiting`,

  recall: `UPDATE job SET version = version + 1,
      next_step_at = CASE WHEN looked_at > NOW_MS THEN NOW_MS ELSE next_step_at END,
      looked_at = CASE WHEN looked_at > NOW_MS THEN NOW_MS ELSE looked_at END,
      lease_until = CASE WHEN lease_until > NOW_MS + CAST(@leaseMs AS BIGINT)
        THEN NOW_MS + CAST(@leaseMs AS BIGINT) ELSE lease_until END
    WHERE settled_at IS NULL
      AND (looked_at > NOW_MS OR lease_until > NOW_MS + CAST(@leaseMs AS BIGINT))`,

  freeLeases: `UPDATE job SET lease_owner = NULL, lease_until = NULL, version = version + 1
    WHERE lease_owner IS NOT NULL`,
} as const;

/** The name of a job statement. */
export type JobStatementName = keyof typeof TEMPLATES;

/** The column of each field of a job's state. */
const STATE_COLUMNS: Readonly<Record<keyof JobState, string>> = {
  status: 'status',
  region: 'region',
  wish: 'wish',
  stopReason: 'stop_reason',
  stopAskedAt: 'stop_asked_at',
  killAt: 'kill_at',
  startAskedAt: 'start_asked_at',
  appName: 'app_name',
  machineId: 'machine_id',
  claimInstance: 'claim_instance',
  claimedAt: 'claimed_at',
  errorClass: 'error_class',
  errorMessage: 'error_message',
  exitCode: 'exit_code',
  stats: 'stats',
  statsAt: 'stats_at',
  provisionedAt: 'provisioned_at',
  startedAt: 'started_at',
  endedAt: 'ended_at',
  settledAt: 'settled_at',
  failures: 'failures',
  nextStepAt: 'next_step_at',
  statusMs: 'status_ms',
  lookedAt: 'looked_at',
};

const FIXED_COLUMNS: Readonly<Record<Exclude<keyof NewJob, keyof JobState>, string>> = {
  run: 'run',
  substrate: 'substrate',
  host: 'host',
  runner: 'runner',
  image: 'image',
  cpus: 'cpus',
  memoryMb: 'memory_mb',
  maxRunDurationMs: 'max_run_duration_ms',
  specHash: 'spec_hash',
  payload: 'payload',
};

const JOB_COLUMNS = [
  ...Object.entries({ ...FIXED_COLUMNS, ...STATE_COLUMNS }).map(
    ([field, column]) => `j.${column} AS "${field}"`,
  ),
  'j.created_at AS "createdAt", j.lease_owner AS "leaseOwner", j.lease_until AS "leaseUntil", j.version',
  'r.workspace, r.id AS "runId", r.provider, r.ended_at AS "runEndedAt"',
].join(', ');

const STATE_ASSIGNMENTS = Object.entries(STATE_COLUMNS)
  .map(([field, column]) => `${column} = @${field}`)
  .join(', ');

/** The SQL in which the two databases differ. */
export interface JobDialect {
  /** Expression: the database's clock, in Unix milliseconds. */
  readonly nowMs: string;
  /** Clause: skip rows that other transactions hold. Empty on SQLite. */
  readonly skipLocked: string;
  /** Condition: the number before it is in the parameter `runs`. */
  readonly inRuns: string;
  /**
   * Subquery: the rows (run, version, due_in, failures, status_ms, looked_at) of the parameter `jobs`, a JSON
   * array of arrays.
   */
  readonly givenBack: string;
}

/** Returns a statement in a dialect's SQL, with its parameters still named. */
export function jobStatement(
  name: JobStatementName,
  { nowMs, skipLocked, inRuns, givenBack }: JobDialect,
): string {
  return TEMPLATES[name]
    .replace('STATE', STATE_ASSIGNMENTS)
    .replaceAll('CALLABLE', isAmong('substrates'))
    .replaceAll('KNOWN', isAmong('known'))
    .replace('JOB', JOB_COLUMNS)
    .replaceAll('NOW_MS', nowMs)
    .replace('IN_RUNS', inRuns)
    .replace('GIVEN_BACK', givenBack)
    .replace('SKIP_LOCKED', skipLocked);
}

/** Encodes the parameter `jobs` of `giveBack` as JSON. */
export function givenBackRows(jobs: readonly GivenBack[]): string {
  return JSON.stringify(
    jobs.map(({ run, version, dueIn, failures, statusMs, lookedAt }) => [
      run,
      version,
      Math.ceil(dueIn),
      failures,
      statusMs,
      lookedAt,
    ]),
  );
}

/** Condition: the job's substrate is in a parameter that lists substrates, separated by commas. */
function isAmong(parameter: string): string {
  return `(',' || CAST(@${parameter} AS TEXT) || ',' LIKE '%,' || substrate || ',%')`;
}

/** Converts a row of `readJobs` to a reading. */
export function readingOf({ now, ...job }: JobRecord & { readonly now: number }): JobReading {
  return { job, now };
}

/** Picks the fields of a job's state, which are the parameters of `saveJob`. */
export function stateOf(state: JobState): JobState {
  const entries = Object.keys(STATE_COLUMNS).map((field) => [field, state[field as keyof JobState]]);
  return Object.fromEntries(entries) as unknown as JobState;
}
