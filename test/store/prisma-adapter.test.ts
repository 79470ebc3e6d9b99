import { type ArgScalarType, ColumnTypeEnum, type SqlDriverAdapter } from '@prisma/driver-adapter-utils';
import { beforeEach, describe, expect, test } from 'vitest';
import { databaseFile } from '../../src/config/data-folder.ts';
import { createReadingAdapter } from '../../src/store/sqlite/prisma-adapter.ts';
import { freshSqliteUrl } from '../support/databases.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { executeScript } from '../support/sql.ts';

const TABLE = `
  CREATE TABLE thing (
    key INTEGER PRIMARY KEY, big BIGINT, real REAL, text TEXT, json JSONB, flag BOOLEAN, at DATETIME, bytes BLOB
  );
  INSERT INTO thing VALUES (1, 9007199254740993, 0.5, 'a', '{"b":1}', 1, 0, x'0102');
  INSERT INTO thing VALUES (2, -1, 2, NULL, NULL, 0, '2026-01-02T03:04:05.000+00:00', NULL);
`;

let adapter: SqlDriverAdapter;

beforeEach(async () => {
  const url = await freshSqliteUrl();
  await executeScript(url, TABLE);
  adapter = await createReadingAdapter(databaseFile(url)).connect();
  releaseAfterwards(() => adapter.dispose());
});

const read = (sql: string, ...args: unknown[]) => adapter.queryRaw({ sql, args, argTypes: [] });

/** Returns SQLite's type and text of a parameter. */
async function bound(value: unknown, scalarType: ArgScalarType): Promise<unknown> {
  const { rows } = await adapter.queryRaw({
    sql: 'WITH given AS (SELECT ? AS value) SELECT typeof(value), CAST(value AS text) FROM given',
    args: [value],
    argTypes: [{ scalarType, arity: 'scalar' }],
  });
  return rows[0];
}

describe('Prisma’s adapter for SQLite', () => {
  test('returns the declared column types', async () => {
    const { columnNames, columnTypes, rows } = await read('SELECT * FROM thing ORDER BY key');
    expect(columnNames).toEqual(['key', 'big', 'real', 'text', 'json', 'flag', 'at', 'bytes']);
    const names = ['Int32', 'Int64', 'Double', 'Text', 'Json', 'Boolean', 'DateTime', 'Bytes'] as const;
    expect(columnTypes).toEqual(names.map((name) => ColumnTypeEnum[name]));
    expect(rows).toEqual([
      [1, '9007199254740993', 0.5, 'a', '{"b":1}', 1, '1970-01-01T00:00:00.000Z', Buffer.from([1, 2])],
      [2, -1, 2, null, null, 0, '2026-01-02T03:04:05.000+00:00', null],
    ]);
  });

  test('derives the type of an expression from its values', async () => {
    const { columnTypes } = await read(
      `SELECT count(*), max(text), sum(real), NULL, x'00', nullif(key, 1) FROM thing GROUP BY key`,
    );
    const names = ['Int64', 'Text', 'Double', 'Int32', 'Bytes', 'Int64'] as const;
    expect(columnTypes).toEqual(names.map((name) => ColumnTypeEnum[name]));
  });

  test('passes parameters with their types', async () => {
    expect(await bound('7', 'int')).toEqual(['real', '7.0']);
    expect(await bound(7, 'int')).toEqual(['real', '7.0']);
    expect(await bound('9007199254740993', 'bigint')).toEqual(['integer', '9007199254740993']);
    expect(await bound('0.5', 'float')).toEqual(['real', '0.5']);
    expect(await bound('0.5', 'string')).toEqual(['text', '0.5']);
    expect(await bound(true, 'boolean')).toEqual(['real', '1.0']);
    expect(await bound('2026-01-02T03:04:05Z', 'datetime')).toEqual([
      'text',
      '2026-01-02T03:04:05.000+00:00',
    ]);
    expect(await bound('YQ==', 'bytes')).toEqual(['blob', 'a']);
    expect(await bound(null, 'string')).toEqual(['null', null]);
  });

  test('reuses a statement with different values', async () => {
    const texts = ['SELECT text FROM thing WHERE key = ?', 1, 2] as const;
    expect((await read(texts[0], texts[1])).rows).toEqual([['a']]);
    expect((await read(texts[0], texts[2])).rows).toEqual([[null]]);
  });

  test('fails with SQLite’s code and message', async () => {
    await expect(read('SELECT missing FROM thing')).rejects.toMatchObject({
      name: 'DriverAdapterError',
      cause: { kind: 'sqlite', originalCode: 'SQLITE_ERROR', originalMessage: 'no such column: missing' },
    });
    await expect(read('DELETE FROM thing RETURNING key')).rejects.toMatchObject({
      cause: { originalCode: 'SQLITE_READONLY' },
    });
  });

  test('fails in the same way if the file cannot be opened', async () => {
    const missing = databaseFile(await freshSqliteUrl());
    await expect(createReadingAdapter(missing).connect()).rejects.toMatchObject({
      name: 'DriverAdapterError',
      cause: { kind: 'sqlite', originalCode: 'SQLITE_CANTOPEN' },
    });
  });

  test('refuses writes', async () => {
    const write = { sql: 'DELETE FROM thing', args: [], argTypes: [] };
    await expect(adapter.executeRaw(write)).rejects.toThrow('is read-only');
    await expect(adapter.executeScript(write.sql)).rejects.toThrow('is read-only');
    await expect(adapter.startTransaction()).rejects.toThrow('is read-only');
  });
});
