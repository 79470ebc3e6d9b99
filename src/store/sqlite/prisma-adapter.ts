import {
  type ArgType,
  type ColumnType,
  ColumnTypeEnum,
  DriverAdapterError,
  type SqlDriverAdapter,
  type SqlDriverAdapterFactory,
} from '@prisma/driver-adapter-utils';
import { LRUCache } from 'lru-cache';
import { Database, SqliteError, type Statement } from './driver.ts';

/** Compiled statements that are kept. Prisma's texts differ by the selection and by the number of keys. */
const MAX_STATEMENTS = 200;

const NAMES = { provider: 'sqlite', adapterName: 'runfeed-sqlite' } as const;

/** The types that Prisma's migrations declare. What a column of another type is, its values tell. */
const DECLARED: Readonly<Record<string, ColumnType>> = {
  BIGINT: ColumnTypeEnum.Int64,
  BLOB: ColumnTypeEnum.Bytes,
  BOOLEAN: ColumnTypeEnum.Boolean,
  DATETIME: ColumnTypeEnum.DateTime,
  DECIMAL: ColumnTypeEnum.Numeric,
  INTEGER: ColumnTypeEnum.Int32,
  JSONB: ColumnTypeEnum.Json,
  REAL: ColumnTypeEnum.Double,
  TEXT: ColumnTypeEnum.Text,
};

interface Prepared {
  readonly statement: Statement<unknown[], unknown[]>;
  readonly columnNames: string[];
  /** Null for an expression. */
  readonly declared: readonly (ColumnType | null)[];
}

/**
 * Prisma's reads on a connection of their own that only reads. Prisma's own adapter brings better-sqlite3 12 along,
 * which ends the process on Node 24.19 and newer, and compiles a statement for every query; this one takes the driver
 * that runs and keeps its statements.
 */
export function createReadingAdapter(file: string): SqlDriverAdapterFactory {
  return { ...NAMES, connect: async () => adapterOf(new Database(file, { readonly: true })) };
}

/** An open connection as Prisma wants it. It refuses whatever writes. */
export function adapterOf(database: Database): SqlDriverAdapter {
  const statements = new LRUCache<string, Prepared>({ max: MAX_STATEMENTS });

  function prepared(sql: string): Prepared {
    const known = statements.get(sql);
    if (known) return known;
    // As numbers, integers beyond 2^53 would come rounded.
    const statement = database.prepare<unknown[], unknown[]>(sql).raw().safeIntegers();
    const columns = statement.columns();
    const made = {
      statement,
      columnNames: columns.map(({ name }) => name),
      declared: columns.map(({ type }) => DECLARED[type?.toUpperCase() ?? ''] ?? null),
    };
    statements.set(sql, made);
    return made;
  }

  return {
    ...NAMES,
    queryRaw: async ({ sql, args, argTypes }) => {
      try {
        const { statement, columnNames, declared } = prepared(sql);
        const rows = statement.all(...args.map((arg, index) => toSqlite(arg, argTypes[index])));
        const columnTypes = declared.map((type, index) => type ?? typeOfValues(rows, index));
        for (const row of rows) {
          for (const [index, type] of columnTypes.entries()) row[index] = fromSqlite(row[index], type);
        }
        return { columnNames, columnTypes, rows };
      } catch (error) {
        throw asAdapterError(error);
      }
    },
    executeRaw: refuse,
    executeScript: refuse,
    startTransaction: refuse,
    dispose: async () => void database.close(),
  };
}

async function refuse(): Promise<never> {
  throw new Error('this connection only reads');
}

/** A value of Prisma's as a parameter: Prisma sends what JSON has no type for as text. */
function toSqlite(value: unknown, type: ArgType | undefined): unknown {
  if (typeof value === 'boolean') return Number(value);
  if (value instanceof Date) return toTimestamp(value);
  if (typeof value !== 'string') return value;
  switch (type?.scalarType) {
    case 'int':
    case 'float':
    case 'decimal':
      return Number(value);
    case 'bigint':
      return BigInt(value);
    case 'datetime':
      return toTimestamp(new Date(value));
    case 'bytes':
      return Buffer.from(value, 'base64');
    default:
      return value;
  }
}

function toTimestamp(date: Date): string {
  return date.toISOString().replace('Z', '+00:00');
}

/** A value of SQLite's as Prisma takes it: its integers come as bigints, of which Prisma takes none. */
function fromSqlite(value: unknown, type: ColumnType): unknown {
  if (typeof value !== 'bigint' && typeof value !== 'number') return value;
  if (type === ColumnTypeEnum.DateTime) return new Date(Number(value)).toISOString();
  const number = Number(value);
  return typeof value === 'number' || Number.isSafeInteger(number) ? number : value.toString();
}

/** What an expression's first value is; any type will do for a column that has none. */
function typeOfValues(rows: readonly (readonly unknown[])[], index: number): ColumnType {
  const value = rows.find((row) => row[index] !== null)?.[index];
  if (typeof value === 'string') return ColumnTypeEnum.Text;
  if (typeof value === 'bigint') return ColumnTypeEnum.Int64;
  if (typeof value === 'number') return ColumnTypeEnum.Double;
  return value === undefined ? ColumnTypeEnum.Int32 : ColumnTypeEnum.Bytes;
}

/** SQLite's refusals in Prisma's terms. `faults.ts` goes by the code; the driver does not tell SQLite's number. */
function asAdapterError(error: unknown): unknown {
  if (!(error instanceof SqliteError)) return error;
  const { code, message } = error;
  return new DriverAdapterError({
    kind: 'sqlite',
    extendedCode: 1,
    message,
    originalCode: code,
    originalMessage: message,
  });
}
