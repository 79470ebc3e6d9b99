import { chmodSync, closeSync, existsSync, openSync, statSync } from 'node:fs';

/** The suffixes of all files in which SQLite keeps a database and our lock on it. */
const SUFFIXES = ['', '-wal', '-shm', '-journal', '-lock', '-lock-journal'];

/**
 * Creates a database file that only its owner can read, whatever the umask, and removes group and other
 * permissions from existing files. SQLite gives the files that it creates later the mode of the database.
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
    // The file belongs to another user, who decides who may read it.
    if (code !== 'EPERM' && code !== 'EROFS') throw error;
  }
}
