import { rmSync } from 'node:fs';
import { Database, SqliteError } from './driver.ts';
import { identityOf } from './files.ts';
import { createForOwner } from './modes.ts';

/** A lock that this process holds. */
export interface Lock {
  release(): void;
  /** Releases it and, if this process created its file, removes that. */
  discard(): void;
}

/**
 * Locks the database file for this process. WAL alone would let a second process write, and the heads in
 * memory would then be wrong. An exclusive transaction on a sibling file excludes it at once. The operating
 * system holds that lock, so it ends with the process, however the process ends.
 */
export function lockDatabaseFile(file: string): Lock {
  return lockFile(`${file}-lock`, () => inUse(file));
}

/** Locks a file for this process and creates it if it is missing. Throws `held()` if another process has it. */
export function lockFile(path: string, held: () => Error): Lock {
  const isNew = createForOwner(path);
  const identity = identityOf(path);
  const remove = () => {
    if (isNew) rmSync(path, { force: true });
  };
  const lock = openLock(path, remove);
  try {
    lock.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    if (error instanceof SqliteError && error.code === 'SQLITE_BUSY') throw held();
    remove();
    throw error;
  }
  // A failed start of another process may have removed the file in the meantime.
  if (identityOf(path) !== identity) {
    lock.close();
    throw held();
  }
  return {
    release: () => lock.close(),
    discard: () => {
      try {
        // While it is locked, so that no other process can have locked it.
        remove();
      } finally {
        lock.close();
      }
    },
  };
}

function openLock(path: string, remove: () => void): Database {
  try {
    return new Database(path, { timeout: 0 });
  } catch (error) {
    remove();
    throw error;
  }
}

/** Returns the error for a database file that `holder` has open. */
export function inUse(file: string, holder = 'another runfeed process'): Error {
  return new Error(
    `${file} is in use by ${holder}: stop it, or set DATABASE_URL to another file or to Postgres`,
  );
}
