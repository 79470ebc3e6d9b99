import type { JobListFilter, ListPage, RunListFilter } from './lists.ts';

/** Parameter values by name. A statement refers to them as `@name`. */
export type ListParameters = Readonly<Record<string, string | number>>;

/** A condition on the rows `r` (run) and `j` (job), with its parameter values. */
export interface Condition {
  readonly sql: string;
  readonly parameters: ListParameters;
}

/** The SQL in which the two databases differ. */
export interface ListDialect {
  /** Expression: the JSON text of a label's value. The parameter `@name` holds the `labelPath`. */
  readonly labelText: (name: string) => string;
  readonly labelPath: (label: string) => string;
  /** Condition: the title contains the word in the parameter `@name`, ignoring case. */
  readonly hasWord: (name: string) => string;
  /** Returns that parameter's value for a word. */
  readonly wordValue: (word: string) => string;
}

/** Returns the condition that a filter puts on runs. The page's cursor is not part of it. */
export function runCondition(filter: RunListFilter, dialect: ListDialect): Condition {
  return all([
    equals('r.workspace', 'workspace', filter.workspace),
    isAmong('r.provider', 'provider', filter.providers),
    fixed(filter.ended === null ? null : `r.ended_at IS ${filter.ended ? 'NOT NULL' : 'NULL'}`),
    isAmong('j.status', 'status', filter.jobStatuses),
    compare('r.created_at >= @createdFrom', 'createdFrom', filter.createdFrom),
    compare('r.created_at < @createdBefore', 'createdBefore', filter.createdBefore),
    ...Object.entries(filter.labels).map(([label, value], index) => ({
      sql: `${dialect.labelText(`label${index}`)} = @value${index}`,
      parameters: { [`label${index}`]: dialect.labelPath(label), [`value${index}`]: JSON.stringify(value) },
    })),
    ...filter.words.map((word, index) => ({
      sql: dialect.hasWord(`word${index}`),
      parameters: { [`word${index}`]: dialect.wordValue(word) },
    })),
  ]);
}

/** Returns the condition that a filter puts on jobs. The page's cursor is not part of it. */
export function jobCondition(filter: JobListFilter): Condition {
  return all([
    equals('r.workspace', 'workspace', filter.workspace),
    isAmong('r.provider', 'provider', filter.providers),
    isAmong('j.status', 'status', filter.statuses),
    equals('j.runner', 'runner', filter.runner),
    compare('j.created_at >= @createdFrom', 'createdFrom', filter.createdFrom),
    compare('j.created_at < @createdBefore', 'createdBefore', filter.createdBefore),
  ]);
}

/** Returns how a page compares keys with its cursor and sorts them. `newer` pages are read ascending. */
export function pageOrder({ direction }: Pick<ListPage, 'direction'>): {
  readonly comparison: '<' | '>';
  readonly order: 'ASC' | 'DESC';
  /** A cursor that excludes nothing. Keys are positive 32-bit numbers. */
  readonly beyond: number;
} {
  return direction === 'older'
    ? { comparison: '<', order: 'DESC', beyond: 2 ** 31 - 1 }
    : { comparison: '>', order: 'ASC', beyond: 0 };
}

const NOTHING: Condition = { sql: '', parameters: {} };

function equals(column: string, name: string, value: string | null): Condition {
  return value === null ? NOTHING : { sql: `${column} = @${name}`, parameters: { [name]: value } };
}

function compare(sql: string, name: string, value: number | null): Condition {
  return value === null ? NOTHING : { sql, parameters: { [name]: value } };
}

function fixed(sql: string | null): Condition {
  return sql === null ? NOTHING : { sql, parameters: {} };
}

function isAmong(column: string, name: string, values: readonly string[] | null): Condition {
  if (values === null) return NOTHING;
  const names = values.map((_, index) => `@${name}${index}`);
  return {
    sql: `${column} IN (${names.join(', ')})`,
    parameters: Object.fromEntries(values.map((value, index) => [`${name}${index}`, value])),
  };
}

function all(conditions: readonly Condition[]): Condition {
  return {
    sql: conditions.flatMap(({ sql }) => (sql === '' ? [] : [sql])).join(' AND '),
    parameters: Object.assign({}, ...conditions.map(({ parameters }) => parameters)) as ListParameters,
  };
}
