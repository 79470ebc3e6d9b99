import pg from 'pg';
import { releaseAfterwards } from './releases.ts';
import { eventually } from './runs.ts';

/** A transaction of somebody else's on a Postgres database, which holds rows until it is rolled back. */
export interface Rival {
  /** Runs a statement in the transaction. */
  query(sql: string, values?: readonly unknown[]): Promise<void>;
  /** Returns how many connections of the store wait for a lock. */
  waiting(): Promise<number>;
  /** Resolves when at least that many connections of the store wait for a lock. */
  untilWaiting(count: number): Promise<void>;
  /** Calls a function of Postgres, such as `pg_cancel_backend`, with every connection that waits for a lock. */
  disturb(name: 'pg_cancel_backend' | 'pg_terminate_backend'): Promise<void>;
  rollback(): Promise<void>;
}

const WAITING = `FROM pg_stat_activity
  WHERE datname = current_database() AND application_name = 'runfeed' AND wait_event_type = 'Lock'`;

/** Begins a transaction. It ends with the test at the latest. */
export async function beginRival(url: string): Promise<Rival> {
  const holder = new pg.Client({ connectionString: url });
  const observer = new pg.Client({ connectionString: url });
  await holder.connect();
  releaseAfterwards(() => holder.end());
  await observer.connect();
  releaseAfterwards(() => observer.end());
  await holder.query('BEGIN');
  const waiting = async () => {
    const { rows } = await observer.query<{ count: number }>(`SELECT count(*)::int AS count ${WAITING}`);
    return rows[0]!.count;
  };
  return {
    query: async (sql, values) => void (await holder.query(sql, [...(values ?? [])])),
    waiting,
    untilWaiting: (count) => eventually(async () => (await waiting()) >= count),
    disturb: async (name) => void (await observer.query(`SELECT ${name}(pid) ${WAITING}`)),
    rollback: async () => void (await holder.query('ROLLBACK')),
  };
}
