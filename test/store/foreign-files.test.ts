import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, test } from 'vitest';
import { databaseFile } from '../../src/config/data-folder.ts';
import { openStore } from '../../src/store/open.ts';
import { freshSqliteUrl } from '../support/databases.ts';
import { runRunfeed } from '../support/runfeed-process.ts';
import { execute } from '../support/sql.ts';

const KINDS = [
  ['a text', '', (path: string) => writeFileSync(path, 'text'.repeat(1_000)), 'is not a SQLite database'],
  ['a short text', '', (path: string) => writeFileSync(path, 'SQLite'), 'is not a SQLite database'],
  ['a folder', '', (path: string) => mkdirSync(path), 'is not a regular file'],
  ['a named pipe', '', (path: string) => execFileSync('mkfifo', [path]), 'is not a regular file'],
  [
    'a lock that is a named pipe',
    '-lock',
    (path: string) => execFileSync('mkfifo', [path]),
    'is not a regular file',
  ],
  ['a lock with text', '-lock', (path: string) => writeFileSync(path, 'text'), 'is not a lock of runfeed'],
  ['a log that is a folder', '-wal', (path: string) => mkdirSync(path), 'is not a regular file'],
] as const;

/** Returns the names, types, modes and contents of a folder's entries. */
function entriesOf(folder: string) {
  return readdirSync(folder, { withFileTypes: true }).map((entry) => {
    const path = `${folder}/${entry.name}`;
    const { mode, mtimeMs } = statSync(path);
    return { name: entry.name, mode, mtimeMs, text: entry.isFile() ? readFileSync(path, 'utf8') : null };
  });
}

describe('a path that leads to something else than a database', () => {
  test.each(KINDS)('is refused in one line and left as it was: %s', async (_, suffix, put, reason) => {
    const url = await freshSqliteUrl();
    const path = `${databaseFile(url)}${suffix}`;
    put(path);
    chmodSync(path, 0o755);
    const before = entriesOf(dirname(path));
    const refused: unknown = await openStore(url).catch((error: unknown) => error);
    expect(String(refused)).toContain(`${path} ${reason}`);
    expect(String(refused)).not.toContain('\n');
    expect(entriesOf(dirname(path))).toEqual(before);
  });

  test('is refused by the server, too: a device, and a named pipe without a writer', async () => {
    const pipe = databaseFile(await freshSqliteUrl());
    execFileSync('mkfifo', [pipe]);
    for (const path of ['/dev/null', pipe]) {
      const { code, stderr } = await runRunfeed(['serve'], { DATABASE_URL: `file:${path}`, PORT: '0' });
      expect(code).toBe(2);
      expect(stderr).toContain(`${path} is not a regular file`);
    }
    expect(readdirSync(dirname(pipe))).toEqual(['runfeed.db']);
  });
});

test.each([
  ['a program with tables of its own', ['CREATE TABLE users (id INTEGER)', 'INSERT INTO users VALUES (1)']],
  [
    'a program that also uses Prisma',
    [
      'CREATE TABLE _prisma_migrations (id TEXT, migration_name TEXT)',
      "INSERT INTO _prisma_migrations VALUES ('1', '20200101000000_first')",
      'CREATE TABLE users (id INTEGER)',
    ],
  ],
])('the database of %s is refused and left as it was', async (_what, statements) => {
  const url = await freshSqliteUrl();
  const path = databaseFile(url);
  for (const statement of statements) await execute(url, statement);
  chmodSync(path, 0o644);
  const before = entriesOf(dirname(path));
  await expect(openStore(url)).rejects.toThrow(`${path} is the database of another program`);
  expect(entriesOf(dirname(path))).toEqual(before);
});

test('an empty file is opened', async () => {
  const url = await freshSqliteUrl();
  writeFileSync(databaseFile(url), '');
  const store = await openStore(url);
  await store.ping();
  await store.close();
});

test('a start that fails removes the lock that it created, but not one that was there before', async () => {
  const url = await freshSqliteUrl();
  const folder = dirname(databaseFile(url));
  // A database of another program, in which the first migration fails.
  await execute(url, 'CREATE TABLE run (other TEXT)');
  await expect(openStore(url)).rejects.toThrow();
  expect(readdirSync(folder)).not.toContain('runfeed.db-lock');
  writeFileSync(`${databaseFile(url)}-lock`, '');
  await expect(openStore(url)).rejects.toThrow();
  expect(readdirSync(folder)).toContain('runfeed.db-lock');
});
