import type { Pool, QueryConfig, QueryResultRow } from 'pg';
import { givenBackRows, type JobStatementName, jobStatement, readingOf, stateOf } from '../job-statements.ts';
import type { JobReading, JobRecord, JobStore } from '../jobs.ts';
import { StoreContended } from '../unavailable.ts';
import { numberArray } from './arrays.ts';
import type { OnRow } from './lock-lanes.ts';
import {
  type Connection,
  inTransaction,
  type Numbered,
  numbered,
  type Parameters,
  POSTGRES_DIALECT,
} from './named.ts';

/** The rows of many jobs at once. One name, so that these statements together wait in one lane. */
const LEASES = 'leases of jobs';

type StatementName = JobStatementName | 'giveBackFree';

type Call = readonly [name: StatementName, parameters: Parameters];

/**
 * Creates the job store on Postgres, for any number of processes that share the database's clock. `types` are
 * the store's type parsers. `track` or `onRow` wraps every call, so that it throws the store's faults and
 * `close` waits for it; `onRow` those that may wait for the lock of a row.
 */
export function createPostgresJobs(
  pool: Pool,
  types: NonNullable<QueryConfig['types']>,
  track: <Answer>(work: Promise<Answer>) => Promise<Answer>,
  onRow: OnRow,
): JobStore {
  const run = <Row extends QueryResultRow>(connection: Connection, [name, parameters]: Call) => {
    const { text, order } = STATEMENTS[name];
    return connection.query<Row>({ name, text, values: order.map((key) => parameters[key] ?? null), types });
  };

  /** Runs two statements in one commit, the second only if the first changed a row. True if it did. */
  async function both(first: Call, second: Call): Promise<boolean> {
    return inTransaction(pool, async (client) => {
      const changed = (await run(client, first)).rowCount === 1;
      if (changed) await run(client, second);
      return changed;
    });
  }

  async function read(runs: readonly number[]): Promise<Map<number, JobReading>> {
    if (runs.length === 0) return new Map();
    const { rows } = await run<JobRecord & { now: number }>(pool, ['readJobs', { runs: numberArray(runs) }]);
    return new Map(rows.map((row) => [row.run, readingOf(row)]));
  }

  return {
    create: (job) => onRow(job.run, () => both(['insertJob', { ...job }], ['closeLog', { run: job.run }])),
    read: (runs) => track(read(runs)),
    save: async (key, version, state) => {
      const { rowCount } = await onRow(key, () =>
        run(pool, ['saveJob', { ...stateOf(state), run: key, version }]),
      );
      return rowCount === 1;
    },
    saveClaim: (key, version, state) => {
      const { claimInstance } = state;
      const saved: Call = ['saveJob', { ...stateOf(state), run: key, version }];
      return onRow(key, () => both(saved, ['openLog', { run: key, claimInstance }]));
    },
    lease: async ({ substrates, known, ...request }) => {
      const leased: Call = [
        'leaseJobs',
        { ...request, substrates: substrates.join(','), known: known.join(',') },
      ];
      const { rows } = await track(run<{ run: number }>(pool, leased));
      return [...(await track(read(rows.map((row) => row.run)))).values()];
    },
    renew: async (owner, runs, leaseMs) =>
      void (await onRow(LEASES, () =>
        run(pool, ['renewLeases', { owner, runs: numberArray(runs), leaseMs }]),
      )),
    giveBack: async (owner, jobs) => {
      const values = { owner, jobs: givenBackRows(jobs) };
      try {
        await onRow(LEASES, () => run(pool, ['giveBack', values]));
      } catch (error) {
        if (!(error instanceof StoreContended)) throw error;
        // One job is held for long. Its lease ends by itself; those of the others end now.
        await onRow(LEASES, () => run(pool, ['giveBackFree', values]));
      }
    },
    nextDue: async ({ substrates, known, ...request }) => {
      const asked: Call = [
        'nextDue',
        { ...request, substrates: substrates.join(','), known: known.join(',') },
      ];
      const { rows } = await track(run<{ dueIn: number | null; now: number }>(pool, asked));
      return rows[0]!;
    },
    recall: async (leaseMs) => void (await onRow(LEASES, () => run(pool, ['recall', { leaseMs }]))),
  };
}

const named = (name: JobStatementName) => numbered(jobStatement(name, POSTGRES_DIALECT));

const STATEMENTS: Readonly<Record<StatementName, Numbered>> = {
  insertJob: named('insertJob'),
  closeLog: named('closeLog'),
  openLog: named('openLog'),
  readJobs: named('readJobs'),
  saveJob: named('saveJob'),
  leaseJobs: named('leaseJobs'),
  renewLeases: named('renewLeases'),
  giveBack: named('giveBack'),
  giveBackFree: numbered(
    `${jobStatement('giveBack', POSTGRES_DIALECT)}
      AND job.run IN (SELECT run FROM job WHERE lease_owner = @owner ${POSTGRES_DIALECT.skipLocked})`,
  ),
  nextDue: named('nextDue'),
  recall: named('recall'),
  freeLeases: named('freeLeases'),
};
