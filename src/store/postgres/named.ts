import type { Pool, QueryConfig, QueryResult, QueryResultRow } from 'pg';
import type { JobDialect } from '../job-statements.ts';

/** Postgres' own words. */
export const POSTGRES_DIALECT: JobDialect = {
  nowMs: 'CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)',
  skipLocked: 'FOR UPDATE SKIP LOCKED',
  inRuns: '= ANY(CAST(@runs AS INT[]))',
  givenBack: `(SELECT CAST(j->>0 AS INT) AS run, CAST(j->>1 AS INT) AS version, CAST(j->>2 AS BIGINT) AS due_in,
      CAST(j->>3 AS INT) AS failures, CAST(j->>4 AS BIGINT) AS status_ms, CAST(j->>5 AS BIGINT) AS looked_at
    FROM json_array_elements(CAST(@jobs AS JSON)) j)`,
};

/** A statement whose parameters have numbers. */
export interface Numbered {
  readonly text: string;
  /** The parameters' names in the order of their numbers. */
  readonly order: readonly string[];
}

/** Postgres numbers its parameters. */
export function numbered(statement: string): Numbered {
  const order: string[] = [];
  const text = statement.replace(/@(\w+)/g, (_, key: string) => {
    const known = order.indexOf(key);
    return `$${known < 0 ? order.push(key) : known + 1}`;
  });
  return { text, order };
}

/** What parameters are given by. */
export type Parameters = Readonly<Record<string, string | number | null>>;

/** Runs one statement on one connection. */
export interface Connection {
  query<Row extends QueryResultRow>(config: QueryConfig): Promise<QueryResult<Row>>;
}

/** Does work in one transaction. */
export async function inTransaction<Answer>(
  pool: Pool,
  work: (client: Connection) => Promise<Answer>,
): Promise<Answer> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const answer = await work(client);
    await client.query('COMMIT');
    client.release();
    return answer;
  } catch (error) {
    // Destroyed rather than returned: the server rolls back what is open.
    client.release(true);
    throw error;
  }
}
