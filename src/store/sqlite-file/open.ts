import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeFolder } from '../../lib/make-folder.ts';
import { codeOf, lineOf } from '../../lib/text/error-line.ts';
import {
  type AppliedMigration,
  MIGRATIONS_TABLE,
  type Migration,
  migrationRow,
  pendingMigrations,
  readMigrations,
} from '../migrations.ts';
import { Database } from './driver.ts';
import { withoutLinks } from './files.ts';
import { requireDatabase, requireNoOtherName, requireOwnFiles, requireOwnTables } from './inspect.ts';
import { lockDatabaseFile } from './lock.ts';
import { keepToOwner } from './modes.ts';

/** Runs `open` and adds the file's name to errors of the system and of SQLite, which do not name it. */
export async function opening<Opened>(file: string, open: () => Opened | Promise<Opened>): Promise<Opened> {
  try {
    return await open();
  } catch (error) {
    if (!codeOf(error)) throw error;
    throw new Error(`cannot use ${file} as a database: ${lineOf(error)}`, { cause: error });
  }
}

/** A migrated database that this process has locked. */
export interface OpenDatabase {
  /** The file's real path. All connections open it, whatever links to it change meanwhile. */
  readonly path: string;
  /** A connection that reads. */
  readonly database: Database;
  close(): void;
}

/**
 * Creates the folder, locks the file for this process, applies migrations and opens it for reading. A file
 * that is not a database is refused before anything is changed.
 */
export function openDatabase(file: string): OpenDatabase {
  makeFolder(dirname(file), 0o700);
  const path = withoutLinks(file);
  requireOwnFiles(file, path);
  // Where a lock exists, it is taken before the file is read: on POSIX, closing a file ends all locks of the
  // process on it, and only the lock tells whether this process has a store on the file.
  const hasLock = existsSync(`${path}-lock`);
  if (!hasLock) requireDatabase(path);
  const lock = lockDatabaseFile(path);
  try {
    if (hasLock) requireDatabase(path);
    requireNoOtherName(path);
    const migrations = readMigrations('sqlite');
    requireOwnTables(path, migrations);
    keepToOwner(path);
    const writing = openForWriting(path);
    try {
      migrate(writing, migrations);
    } finally {
      writing.close();
    }
    const database = new Database(path, { readonly: true });
    return {
      path,
      database,
      close: () => {
        database.close();
        lock.release();
      },
    };
  } catch (error) {
    lock.discard();
    throw error;
  }
}

/** Opens a connection that writes. Only one exists at a time: for migrations, then in the writer. */
export function openForWriting(file: string): Database {
  const database = new Database(file);
  database.pragma('journal_mode = WAL');
  // better-sqlite3 is compiled with NORMAL for WAL, which may lose acknowledged commits in a power cut.
  database.pragma('synchronous = FULL');
  database.pragma('foreign_keys = ON');
  database.pragma('journal_size_limit = 67108864');
  return database;
}

function migrate(database: Database, history: readonly Migration[]): void {
  database.transaction(() => {
    database.exec(MIGRATIONS_TABLE.sqlite);
    const applied = database
      .prepare<[], { name: string; checksum: string; finished: number }>(
        `SELECT migration_name AS name, checksum, finished_at IS NOT NULL AS finished
         FROM _prisma_migrations WHERE rolled_back_at IS NULL`,
      )
      .all()
      .map((row): AppliedMigration => ({ ...row, finished: row.finished === 1 }));
    // Prisma stores times in SQLite as Unix milliseconds.
    const record = database.prepare(
      `INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, finished_at, applied_steps_count)
       VALUES (?, ?, ?, unixepoch() * 1000, unixepoch() * 1000, 1)`,
    );
    for (const migration of pendingMigrations(history, applied)) {
      database.exec(migration.sql);
      record.run(...migrationRow(migration));
    }
  })();
}
