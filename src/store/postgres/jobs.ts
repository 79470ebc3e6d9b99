import type { Pool, QueryConfig, QueryResult, QueryResultRow } from 'pg';
import {
  givenBackRows,
  type JobDialect,
  type JobStatementName,
  jobStatement,
  readingOf,
  stateOf,
} from '../job-statements.ts';
import type { JobReading, JobRecord, JobStore } from '../jobs.ts';
import { numberArray } from './arrays.ts';

const DIALECT: JobDialect = {
  nowMs: 'CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)',
  skipLocked: 'FOR UPDATE SKIP LOCKED',
  inRuns: '= ANY(CAST(@runs AS INT[]))',
  givenBack: `(SELECT CAST(j->>0 AS INT) AS run, CAST(j->>1 AS INT) AS version, CAST(j->>2 AS BIGINT) AS due_in,
      CAST(j->>3 AS INT) AS failures FROM json_array_elements(CAST(@jobs AS JSON)) j)`,
};

type Parameters = Readonly<Record<string, string | number | null>>;
type Call = readonly [name: JobStatementName, parameters: Parameters];

/** Runs one statement on one connection. */
interface Connection {
  query<Row extends QueryResultRow>(config: QueryConfig): Promise<QueryResult<Row>>;
}

/**
 * The jobs on Postgres: any number of processes, one clock. `types` reads the answers as the store does; `track` sees
 * every call, so that faults are told as the store's and closing waits for it.
 */
export function createPostgresJobs(
  pool: Pool,
  types: NonNullable<QueryConfig['types']>,
  track: <Answer>(work: Promise<Answer>) => Promise<Answer>,
): JobStore {
  const run = <Row extends QueryResultRow>(connection: Connection, [name, parameters]: Call) => {
    const { text, order } = STATEMENTS[name];
    return connection.query<Row>({ name, text, values: order.map((key) => parameters[key] ?? null), types });
  };

  /** Two statements in one commit; the second one only if the first one changed something. Answers whether it did. */
  async function both(first: Call, second: Call): Promise<boolean> {
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      const changed = (await run(client, first)).rowCount === 1;
      if (changed) await run(client, second);
      await client.query('COMMIT');
      client.release();
      return changed;
    } catch (error) {
      // Destroyed rather than returned: the server rolls back what is open.
      client.release(true);
      throw error;
    }
  }

  async function read(runs: readonly number[]): Promise<Map<number, JobReading>> {
    if (runs.length === 0) return new Map();
    const { rows } = await run<JobRecord & { now: number }>(pool, ['readJobs', { runs: numberArray(runs) }]);
    return new Map(rows.map((row) => [row.run, readingOf(row)]));
  }

  return {
    create: (job) => track(both(['insertJob', { ...job }], ['closeLog', { run: job.run }])),
    read: (runs) => track(read(runs)),
    save: async (key, version, state) => {
      const { rowCount } = await track(run(pool, ['saveJob', { ...stateOf(state), run: key, version }]));
      return rowCount === 1;
    },
    saveClaim: (key, version, state) => {
      const { claimInstance } = state;
      const saved: Call = ['saveJob', { ...stateOf(state), run: key, version }];
      return track(both(saved, ['openLog', { run: key, claimInstance }]));
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
      void (await track(run(pool, ['renewLeases', { owner, runs: numberArray(runs), leaseMs }]))),
    giveBack: async (owner, jobs) =>
      void (await track(run(pool, ['giveBack', { owner, jobs: givenBackRows(jobs) }]))),
    nextDue: async ({ substrates, known, ...request }) => {
      const asked: Call = [
        'nextDue',
        { ...request, substrates: substrates.join(','), known: known.join(',') },
      ];
      const { rows } = await track(run<{ dueIn: number | null }>(pool, asked));
      return rows[0]?.dueIn ?? null;
    },
  };
}

interface Numbered {
  readonly text: string;
  /** The parameters' names in the order of their numbers. */
  readonly order: readonly string[];
}

/** Postgres numbers its parameters. */
function numbered(name: JobStatementName): Numbered {
  const order: string[] = [];
  const text = jobStatement(name, DIALECT).replace(/@(\w+)/g, (_, key: string) => {
    const known = order.indexOf(key);
    return `$${known < 0 ? order.push(key) : known + 1}`;
  });
  return { text, order };
}

const STATEMENTS: Readonly<Record<JobStatementName, Numbered>> = {
  insertJob: numbered('insertJob'),
  closeLog: numbered('closeLog'),
  openLog: numbered('openLog'),
  readJobs: numbered('readJobs'),
  saveJob: numbered('saveJob'),
  leaseJobs: numbered('leaseJobs'),
  renewLeases: numbered('renewLeases'),
  giveBack: numbered('giveBack'),
  nextDue: numbered('nextDue'),
  freeLeases: numbered('freeLeases'),
};
