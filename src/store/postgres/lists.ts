import type { Pool } from 'pg';
import {
  type Condition,
  jobCondition,
  type ListDialect,
  pageOrder,
  runCondition,
} from '../list-statements.ts';
import type { ListPage, ListStore } from '../lists.ts';
import { numbered } from './named.ts';

/** `labels` has the type `json`, which preserves the stored text. */
const DIALECT: ListDialect = {
  labelText: (name) => `CAST(r.labels -> CAST(@${name} AS TEXT) AS TEXT)`,
  labelPath: (label) => label,
  hasWord: (name) => `r.title ILIKE @${name} ESCAPE '\\'`,
  wordValue: (word) => `%${word.replace(/[\\%_]/g, '\\$&')}%`,
};

/** Creates the lists on Postgres, one statement per page. `track` makes calls throw the store's faults. */
export function createPostgresLists(
  pool: Pool,
  track: <Answer>(work: Promise<Answer>) => Promise<Answer>,
): ListStore {
  async function find(from: string, condition: Condition, page: ListPage): Promise<number[]> {
    const { comparison, order, beyond } = pageOrder(page);
    const { text, order: names } = numbered(
      `SELECT r.key FROM ${from} WHERE ${condition.sql} AND r.key ${comparison} @cursor
       ORDER BY r.key ${order} LIMIT @limit`,
    );
    const parameters = { ...condition.parameters, cursor: page.cursor ?? beyond, limit: page.limit };
    const values = names.map((name) => parameters[name as keyof typeof parameters]);
    const { rows } = await track(pool.query<{ key: number }>(text, values));
    return rows.map(({ key }) => key).sort((one, other) => other - one);
  }

  return {
    runs: (filter, page) => {
      const from = filter.jobStatuses ? 'run r JOIN job j ON j.run = r.key' : 'run r';
      return find(from, runCondition(filter, DIALECT), page);
    },
    jobs: (filter, page) => find('job j JOIN run r ON r.key = j.run', jobCondition(filter), page),
  };
}
