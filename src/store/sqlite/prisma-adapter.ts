import {
  type ArgType,
  type ColumnType,
  ColumnTypeEnum,
  DriverAdapterError,
  type SqlDriverAdapter,
  type SqlDriverAdapterFactory,
} from '@prisma/driver-adapter-utils';
import { LRUCache } from 'lru-cache';
import { Database, SqliteError, type Statement } from '../sqlite-file/driver.ts';

/** The most compiled statements to keep. Prisma's texts differ by the selection and the number of keys. */
const MAX_STATEMENTS = 200;

const NAMES = { provider: 'sqlite', adapterName: 'runfeed-sqlite' } as const;

/** The column types that Prisma's migrations declare. Other columns get a type from their values. */
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
 * Creates an adapter with which Prisma reads a file on a separate read-only connection. Prisma's own adapter
 * depends on better-sqlite3 12, which crashes Node 24.19 and newer, and compiles a statement for every query.
 * This one uses the driver in use and caches its statements.
 */
export function createReadingAdapter(file: string): SqlDriverAdapterFactory {
  return {
    ...NAMES,
    connect: async () => {
      try {
        return adapterOf(new Database(file, { readonly: true }));
      } catch (error) {
        throw asAdapterError(error);
      }
    },
  };
}

/** Adapts an open connection to Prisma. All writes are refused. */
export function adapterOf(database: Database): SqlDriverAdapter {
  const statements = new LRUCache<string, Prepared>({ max: MAX_STATEMENTS });

  function prepared(sql: string): Prepared {
    const known = statements.get(sql);
    if (known) return known;
    // Without this, integers beyond 2^53 would be rounded.
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
  throw new Error('this connection is read-only');
}

/** Converts a value of Prisma to a parameter. Prisma sends types that JSON does not have as text. */
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

/** Converts a value of SQLite for Prisma, which does not accept the bigints that the driver returns. */
function fromSqlite(value: unknown, type: ColumnType): unknown {
  if (typeof value !== 'bigint' && typeof value !== 'number') return value;
  if (type === ColumnTypeEnum.DateTime) return new Date(Number(value)).toISOString();
  const number = Number(value);
  return typeof value === 'number' || Number.isSafeInteger(number) ? number : value.toString();
}

/** Returns the type of an expression's first value. Any type will do for a column without values. */
function typeOfValues(rows: readonly (readonly unknown[])[], index: number): ColumnType {
  const value = rows.find((row) => row[index] !== null)?.[index];
  if (typeof value === 'string') return ColumnTypeEnum.Text;
  if (typeof value === 'bigint') return ColumnTypeEnum.Int64;
  if (typeof value === 'number') return ColumnTypeEnum.Double;
  return value === undefined ? ColumnTypeEnum.Int32 : ColumnTypeEnum.Bytes;
}

/** Converts an error of SQLite for Prisma. `faults.ts` reads the code; the driver hides the number. */
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
