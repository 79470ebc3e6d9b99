import {
  givenBackRows,
  type JobDialect,
  type JobStatementName,
  jobStatement,
  readingOf,
  stateOf,
} from '../job-statements.ts';
import type {
  DueRequest,
  GivenBack,
  JobReading,
  JobRecord,
  JobState,
  LeaseRequest,
  NewJob,
  NextDue,
} from '../jobs.ts';
import type { Database, Statement } from '../sqlite-file/driver.ts';

/** The SQL of SQLite where the two databases differ. */
export const SQLITE_DIALECT: JobDialect = {
  nowMs: "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
  skipLocked: '',
  inRuns: 'IN (SELECT value FROM json_each(@runs))',
  givenBack: `(SELECT json_extract(value, '$[0]') AS run, json_extract(value, '$[1]') AS version,
      json_extract(value, '$[2]') AS due_in, json_extract(value, '$[3]') AS failures,
      json_extract(value, '$[4]') AS status_ms, json_extract(value, '$[5]') AS looked_at FROM json_each(@jobs))`,
};

/** The writes of the job store, each in one transaction. They run in the writer thread. */
export interface JobWrites {
  createJob(job: NewJob): boolean;
  saveJob(run: number, version: number, state: JobState): boolean;
  saveClaim(run: number, version: number, state: JobState): boolean;
  leaseJobs(request: LeaseRequest): number[];
  renewLeases(owner: string, runs: readonly number[], leaseMs: number): void;
  giveBackJobs(owner: string, jobs: readonly GivenBack[]): void;
  recallJobs(leaseMs: number): void;
}

type Parameters = Readonly<Record<string, string | number | null>>;

function prepare<Row = unknown>(database: Database, name: JobStatementName): Statement<[Parameters], Row> {
  return database.prepare<[Parameters], Row>(jobStatement(name, SQLITE_DIALECT));
}

/** Prepares the job writes on an open, migrated database. Ends all leases. */
export function createJobWrites(database: Database): JobWrites {
  // Only one process can open the file, so any existing lease belongs to a dead process.
  prepare(database, 'freeLeases').run({});
  const insertJob = prepare(database, 'insertJob');
  const closeLog = prepare(database, 'closeLog');
  const openLog = prepare(database, 'openLog');
  const saveJob = prepare(database, 'saveJob');
  const leaseJobs = prepare<{ run: number }>(database, 'leaseJobs');
  const renewLeases = prepare(database, 'renewLeases');
  const giveBack = prepare(database, 'giveBack');
  const recall = prepare(database, 'recall');
  const save = (run: number, version: number, state: JobState) =>
    saveJob.run({ ...stateOf(state), run, version }).changes === 1;
  return {
    createJob: database.transaction((job: NewJob) => {
      const created = insertJob.run({ ...job }).changes === 1;
      if (created) closeLog.run({ run: job.run });
      return created;
    }),
    saveJob: save,
    saveClaim: database.transaction((run: number, version: number, state: JobState) => {
      const saved = save(run, version, state);
      if (saved) openLog.run({ run, claimInstance: state.claimInstance });
      return saved;
    }),
    leaseJobs: ({ substrates, known, ...request }) =>
      leaseJobs
        .all({ ...request, substrates: substrates.join(','), known: known.join(',') })
        .map(({ run }) => run),
    renewLeases: (owner, runs, leaseMs) => {
      renewLeases.run({ owner, runs: JSON.stringify(runs), leaseMs });
    },
    giveBackJobs: (owner, jobs) => {
      giveBack.run({ owner, jobs: givenBackRows(jobs) });
    },
    recallJobs: (leaseMs) => {
      recall.run({ leaseMs });
    },
  };
}

/** The reads of the job store, on a read-only connection. */
export interface JobReads {
  read(runs: readonly number[]): Map<number, JobReading>;
  nextDue(request: DueRequest): NextDue;
}

/** Prepares the job reads on an open, migrated database. */
export function createJobReads(database: Database): JobReads {
  const readJobs = prepare<JobRecord & { now: number }>(database, 'readJobs');
  const nextDue = prepare<NextDue>(database, 'nextDue');
  return {
    read: (runs) =>
      new Map(readJobs.all({ runs: JSON.stringify(runs) }).map((row) => [row.run, readingOf(row)])),
    nextDue: ({ substrates, known, ...request }) =>
      nextDue.get({ ...request, substrates: substrates.join(','), known: known.join(',') })!,
  };
}
