import { Database, SqliteError } from './driver.ts';

/**
 * Locks the database file for this process and returns the function that releases it. WAL alone would let a
 * second process write, and the heads in memory would then be wrong. An exclusive transaction on a sibling
 * file excludes it at once. The operating system holds that lock, so it ends with the process, however the
 * process ends.
 */
export function lockDatabaseFile(file: string): () => void {
  const lock = new Database(`${file}-lock`, { timeout: 0 });
  try {
    lock.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    if (error instanceof SqliteError && error.code === 'SQLITE_BUSY') {
      throw new Error(
        `${file} is in use by another runfeed process: stop it, or set DATABASE_URL to another file or to Postgres`,
      );
    }
    throw error;
  }
  return () => lock.close();
}
