import { chmodSync, closeSync, existsSync, openSync, statSync } from 'node:fs';

/** Everything that SQLite keeps a database, and our lock on it, in. */
const SUFFIXES = ['', '-wal', '-shm', '-journal', '-lock', '-lock-journal'];

/**
 * Makes a database file that only its owner can read, whatever the umask, and takes from others what is open to them of
 * one that exists. SQLite gives the files that it makes later the mode of the database.
 */
export function keepToOwner(file: string): void {
  for (const path of [file, `${file}-lock`]) {
    if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600));
  }
  for (const suffix of SUFFIXES) {
    const stats = statSync(file + suffix, { throwIfNoEntry: false });
    if (stats?.isFile() && (stats.mode & 0o077) !== 0) tighten(file + suffix, stats.mode);
  }
}

function tighten(path: string, mode: number): void {
  try {
    chmodSync(path, mode & 0o700);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    // Another user's file that this one may write. Its owner decides who reads it.
    if (code !== 'EPERM' && code !== 'EROFS') throw error;
  }
}
