import type { Pool, QueryConfig, QueryResult, QueryResultRow } from 'pg';
import type { JobDialect } from '../job-statements.ts';

/** The SQL of Postgres where the two databases differ. */
export const POSTGRES_DIALECT: JobDialect = {
  nowMs: 'CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)',
  skipLocked: 'FOR UPDATE SKIP LOCKED',
  inRuns: '= ANY(CAST(@runs AS INT[]))',
  givenBack: `(SELECT CAST(j->>0 AS INT) AS run, CAST(j->>1 AS INT) AS version, CAST(j->>2 AS BIGINT) AS due_in,
      CAST(j->>3 AS INT) AS failures, CAST(j->>4 AS BIGINT) AS status_ms, CAST(j->>5 AS BIGINT) AS looked_at
    FROM json_array_elements(CAST(@jobs AS JSON)) j)`,
};

/** A statement with numbered parameters. */
export interface Numbered {
  readonly text: string;
  /** The parameters' names in the order of their numbers. */
  readonly order: readonly string[];
}

/** Replaces named parameters (`@name`) by Postgres' numbered ones (`$1`). */
export function numbered(statement: string): Numbered {
  const order: string[] = [];
  const text = statement.replace(/@(\w+)/g, (_, key: string) => {
    const known = order.indexOf(key);
    return `$${known < 0 ? order.push(key) : known + 1}`;
  });
  return { text, order };
}

/** Parameter values by name. */
export type Parameters = Readonly<Record<string, string | number | null>>;

/** A pool or one of its connections, on which one statement can run. */
export interface Connection {
  query<Row extends QueryResultRow>(
    statement: QueryConfig | string,
    values?: readonly unknown[],
  ): Promise<QueryResult<Row>>;
}

/** Runs `work` in one transaction on a pooled connection. Rolls back and rethrows if it fails. */
export async function inTransaction<Answer>(
  pool: Pool,
  work: (client: Connection) => Promise<Answer>,
): Promise<Answer> {
  const client = await pool.connect();
  // The pool listens only while a connection is idle. Without a listener, a lost connection would end the
  // process. The statement that runs, or the next one, fails with the reason.
  const ignore = () => {};
  client.on('error', ignore);
  let isWhole = false;
  try {
    await client.query('BEGIN');
    const answer = await work(client);
    await client.query('COMMIT');
    isWhole = true;
    return answer;
  } finally {
    // If it failed, the connection is destroyed, not returned to the pool: Postgres then rolls back.
    client.release(!isWhole);
    client.off('error', ignore);
  }
}
