import { closeSync, existsSync, lstatSync, openSync, readSync, type Stats, statSync } from 'node:fs';
import type { Migration } from '../migrations.ts';
import { Database, SqliteError } from './driver.ts';
import { ownName, severalNames } from './files.ts';
import { inUse } from './lock.ts';
import { SUFFIXES } from './modes.ts';

/** The first bytes of every SQLite database that is not empty. */
const HEADER = Buffer.from('SQLite format 3\0');

/**
 * Throws unless the files that SQLite would open at a real path can be those of the database at `file`:
 * regular files, and none of them shared with another name. Opens nothing, because opening a pipe may wait
 * forever.
 */
export function requireOwnFiles(file: string, real: string): void {
  for (const path of SUFFIXES.map((suffix) => real + suffix)) {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (!stats || stats.isFile()) continue;
    const isDangling = path === real && stats.isSymbolicLink();
    throw refusal(
      path,
      isDangling ? 'is a symbolic link to a file that does not exist' : 'is not a regular file',
    );
  }
  const database = statOf(real);
  const several = database && severalNames(real, database);
  if (several) throw new Error(several);
  if (sizeOf(`${real}-lock`) > 0) throw refusal(`${real}-lock`, 'is not a lock of runfeed');
  const named = ownName(file);
  if (named !== real && sizeOf(`${named}-wal`) > 0) {
    throw new Error(
      `${named}-wal was left behind when ${named} became a link to ${real}, and may hold events: put the database back in the link's place, or delete that file if it is of no use`,
    );
  }
}

/**
 * Throws unless the file is missing, empty or a SQLite database. Must not run while this process has it
 * open.
 */
export function requireDatabase(path: string): void {
  if (sizeOf(path) === 0) return;
  const start = Buffer.alloc(HEADER.length);
  const descriptor = openSync(path, 'r');
  try {
    readSync(descriptor, start, 0, start.length, 0);
  } finally {
    closeSync(descriptor);
  }
  if (!start.equals(HEADER)) throw refusal(path, 'is not a SQLite database');
}

/**
 * Throws if a process has opened the database under another name: before a rename, or through another
 * mount. The lock goes by the name, so it does not exclude that process. Processes that read it under this
 * name, such as backups, are welcome: their index of the log (`-shm`) is beside it.
 */
export function requireNoOtherName(path: string): void {
  const isOpenHere = () => existsSync(`${path}-shm`);
  if (sizeOf(path) === 0 || isOpenHere()) return;
  const database = new Database(path, { timeout: 1_000 });
  try {
    // In this mode, SQLite excludes all others by a lock on the file itself, and needs no index.
    database.pragma('locking_mode = EXCLUSIVE');
    database.exec('BEGIN EXCLUSIVE; ROLLBACK');
  } catch (error) {
    if (!(error instanceof SqliteError) || error.code !== 'SQLITE_BUSY') throw error;
    if (!isOpenHere()) throw inUse(path, 'another process, under another name');
  } finally {
    database.close();
  }
}

/** Throws if the database has tables, but none of these migrations. Changes nothing. The lock must be held. */
export function requireOwnTables(path: string, migrations: readonly Migration[]): void {
  if (sizeOf(path) === 0) return;
  const database = new Database(path, { timeout: 1_000 });
  try {
    const tables = database
      .prepare<[], { name: string }>(
        `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'`,
      )
      .all()
      .map(({ name }) => name);
    if (tables.length > 0 && !hasOneOf(migrations, database, tables))
      throw refusal(path, 'is the database of another program');
  } finally {
    database.close();
  }
}

function hasOneOf(migrations: readonly Migration[], database: Database, tables: readonly string[]): boolean {
  if (!tables.includes('_prisma_migrations')) return false;
  const names = database
    .prepare<[], { name: string }>('SELECT migration_name AS name FROM _prisma_migrations')
    .all()
    .map(({ name }) => name);
  // Without any row, the first start ended before its first migration.
  return names.length === 0 || migrations.some(({ name }) => names.includes(name));
}

function refusal(path: string, why: string): Error {
  return new Error(
    `${path} ${why}: set DATABASE_URL to a SQLite database or to a path where none exists yet`,
  );
}

function sizeOf(path: string): number {
  return statOf(path)?.size ?? 0;
}

function statOf(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false });
}
