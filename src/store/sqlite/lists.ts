import { LRUCache } from 'lru-cache';
import {
  type Condition,
  jobCondition,
  type ListDialect,
  pageOrder,
  runCondition,
} from '../list-statements.ts';
import type { JobListFilter, ListPage, RunListFilter } from '../lists.ts';
import type { Database, Statement } from '../sqlite-file/driver.ts';

/** Rows scanned before other queries get a turn: few at first, since most lists find their rows at once. */
const FIRST_SLICE_ROWS = 64;
/** Rows scanned in each later turn: a few milliseconds' work. */
const SLICE_ROWS = 2_000;
/** The most compiled statements to keep. Their texts differ by the conditions of the filter. */
const MAX_STATEMENTS = 200;

/** Statuses that only few jobs have at any time. */
const PASSING_STATUSES: readonly string[] = ['queued', 'provisioning', 'running', 'stopping'];

/** A running query. Each step scans some rows; the last one returns the page's keys, the newest first. */
export type ListReading = Generator<void, number[], void>;

/** The list queries of an open, migrated database. */
export interface ListReadings {
  runs(filter: RunListFilter, page: ListPage): ListReading;
  jobs(filter: JobListFilter, page: ListPage): ListReading;
}

const DIALECT: ListDialect = {
  labelText: (name) => `(r.labels -> @${name})`,
  labelPath: (label) => `$.${JSON.stringify(label)}`,
  // SQLite's LIKE and lower() only handle ASCII.
  hasWord: (name) => `instr(fold(r.title), @${name}) > 0`,
  wordValue: (word) => word.toLowerCase(),
};

interface Row {
  readonly key: number;
  /** SQLite has no booleans. */
  readonly matches: 0 | 1 | null;
}

/** Creates the list queries on a read-only connection. Registers the SQL function `fold`. */
export function createListReadings(database: Database): ListReadings {
  database.function('fold', { deterministic: true }, (text: unknown) =>
    typeof text === 'string' ? text.toLowerCase() : null,
  );
  const statements = new LRUCache<string, Statement<unknown[], Row>>({ max: MAX_STATEMENTS });

  function prepared(text: string): Statement<unknown[], Row> {
    const known = statements.get(text);
    if (known) return known;
    const statement = database.prepare<unknown[], Row>(text);
    statements.set(text, statement);
    return statement;
  }

  function* read(streams: readonly Stream[], condition: Condition, page: ListPage): ListReading {
    const { order, beyond } = pageOrder(page);
    const statement = prepared(
      `SELECT r.key, ${condition.sql} AS matches FROM (${merged(streams, page)}) s
       JOIN run r ON r.key = s.key LEFT JOIN job j ON j.run = s.key ORDER BY s.key ${order}`,
    );
    const keys: number[] = [];
    let cursor = page.cursor ?? beyond;
    let slice = FIRST_SLICE_ROWS;
    while (keys.length < page.limit) {
      const rows = statement.all({ ...condition.parameters, cursor, slice });
      for (const { key, matches } of rows) if (matches === 1 && keys.length < page.limit) keys.push(key);
      if (rows.length < slice) break;
      cursor = rows.at(-1)!.key;
      slice = SLICE_ROWS;
      yield;
    }
    return keys.sort((one, other) => other - one);
  }

  return {
    runs: (filter, page) => read(runStreams(filter), runCondition(filter, DIALECT), page),
    jobs: (filter, page) => read(jobStreams(filter.statuses), jobCondition(filter), page),
  };
}

/** Rows that an index returns in key order: the smallest superset of the list that an index has. */
interface Stream {
  readonly table: 'run' | 'job';
  readonly key: 'key' | 'run';
  readonly where: string;
}

function runStreams({ ended, jobStatuses, providers }: RunListFilter): readonly Stream[] {
  if (jobStatuses?.every((status) => PASSING_STATUSES.includes(status))) return jobStreams(jobStatuses);
  if (ended === false) return [runStream('workspace = @workspace AND ended_at IS NULL')];
  if (jobStatuses) return jobStreams(jobStatuses);
  if (!providers) return [runStream('workspace = @workspace')];
  return providers.map((_, index) => runStream(`workspace = @workspace AND provider = @provider${index}`));
}

function jobStreams(statuses: readonly string[] | null): readonly Stream[] {
  const stream = (where: string): Stream => ({ table: 'job', key: 'run', where });
  return statuses?.map((_, index) => stream(`status = @status${index}`)) ?? [stream('true')];
}

function runStream(where: string): Stream {
  return { table: 'run', key: 'key', where };
}

/** Returns SQL for the next keys of several streams. A condition's values are distinct, so no key repeats. */
function merged(streams: readonly Stream[], page: ListPage): string {
  const { comparison, order } = pageOrder(page);
  const parts = streams.map(
    ({ table, key, where }) => `SELECT * FROM (SELECT ${key} AS key FROM ${table}
      WHERE ${where} AND ${key} ${comparison} @cursor ORDER BY ${key} ${order} LIMIT @slice)`,
  );
  return `SELECT key FROM (${parts.join(' UNION ALL ')}) ORDER BY key ${order} LIMIT @slice`;
}
