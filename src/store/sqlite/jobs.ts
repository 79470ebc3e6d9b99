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
import type { Database, Statement } from './driver.ts';

/** SQLite's own words. */
export const SQLITE_DIALECT: JobDialect = {
  nowMs: "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
  skipLocked: '',
  inRuns: 'IN (SELECT value FROM json_each(@runs))',
  givenBack: `(SELECT json_extract(value, '$[0]') AS run, json_extract(value, '$[1]') AS version,
      json_extract(value, '$[2]') AS due_in, json_extract(value, '$[3]') AS failures,
      json_extract(value, '$[4]') AS status_ms, json_extract(value, '$[5]') AS looked_at FROM json_each(@jobs))`,
};

/** What the writing thread does to jobs, each in one transaction. Arguments and answers cross threads. */
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

/** The jobs' writes of an open, migrated database. */
export function createJobWrites(database: Database): JobWrites {
  // Whoever opens the file has it alone: a lease that is there is a dead process's.
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

/** Reading jobs on a connection that only reads. */
export interface JobReads {
  read(runs: readonly number[]): Map<number, JobReading>;
  nextDue(request: DueRequest): NextDue;
}

/** The jobs' reads of an open, migrated database. */
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
