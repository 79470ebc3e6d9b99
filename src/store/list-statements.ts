import type { JobListFilter, ListPage, RunListFilter } from './lists.ts';

/** Values by the names that a statement has for them, as `@name`. */
export type ListParameters = Readonly<Record<string, string | number>>;

/** A condition on the rows `r` (run) and `j` (job), and its values. */
export interface Condition {
  readonly sql: string;
  readonly parameters: ListParameters;
}

/** A database's own words. */
export interface ListDialect {
  /** The JSON text of a label's value, where `@name` holds what {@link labelPath} answers. */
  readonly labelText: (name: string) => string;
  readonly labelPath: (label: string) => string;
  /** That the title contains what the parameter holds, in any case. */
  readonly hasWord: (name: string) => string;
  /** What that parameter holds for a word. */
  readonly wordValue: (word: string) => string;
}

/** What holds of a list's runs, apart from the page. */
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

/** What holds of a list's jobs, apart from the page. */
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

/** How a page compares keys, and orders them while it is read; `newer` is read towards the newest. */
export function pageOrder({ direction }: Pick<ListPage, 'direction'>): {
  readonly comparison: '<' | '>';
  readonly order: 'ASC' | 'DESC';
  /** A cursor that leaves nothing out. Keys are positive 32-bit numbers. */
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
