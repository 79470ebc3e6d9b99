import { Database, SqliteError } from './driver.ts';

/**
 * Takes the database file for this process. WAL alone would let a second process write, and its heads in memory
 * would be wrong from then on; an exclusive transaction on a sibling file refuses it at once and, being the
 * operating system's lock, goes with the process however that ends. Returns the release.
 */
export function lockDatabaseFile(file: string): () => void {
  const lock = new Database(`${file}-lock`, { timeout: 0 });
  try {
    lock.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    if (error instanceof SqliteError && error.code === 'SQLITE_BUSY') {
      throw new Error(
        `${file} is in use by another runfeed process: stop that one, or set DATABASE_URL to another file or to Postgres`,
      );
    }
    throw error;
  }
  return () => lock.close();
}
