import { chmodSync, closeSync, openSync, statSync } from 'node:fs';
import { codeOf } from '../../lib/text/error-line.ts';

/** The suffixes of all files in which SQLite keeps a database and our lock on it. */
export const SUFFIXES = ['', '-wal', '-shm', '-journal', '-lock', '-lock-journal'];

/**
 * Creates a database file that only its owner can read, whatever the umask, and removes group and other
 * permissions from existing files. SQLite gives the files that it creates later the mode of the database.
 */
export function keepToOwner(file: string): void {
  createForOwner(file);
  for (const suffix of SUFFIXES) {
    const stats = statSync(file + suffix, { throwIfNoEntry: false });
    if (stats?.isFile() && (stats.mode & 0o077) !== 0) tighten(file + suffix, stats.mode);
  }
}

/** Creates an empty file that only its owner can read, whatever the umask. Returns false if it exists. */
export function createForOwner(path: string): boolean {
  try {
    closeSync(openSync(path, 'wx', 0o600));
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

function tighten(path: string, mode: number): void {
  try {
    chmodSync(path, mode & 0o700);
  } catch (error) {
    const code = codeOf(error);
    // The file belongs to another user, who decides who may read it.
    if (code !== 'EPERM' && code !== 'EROFS') throw error;
  }
}
