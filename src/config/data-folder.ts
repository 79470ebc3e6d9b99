import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The default of DATABASE_URL. */
export const DEFAULT_DATABASE_URL = 'file:./data/runfeed.db';

/** Returns the absolute path of a `file:` URL. Relative paths start at the working directory. */
export function databaseFile(url: string): string {
  return url.startsWith('file://') ? fileURLToPath(url) : resolve(url.slice('file:'.length));
}

/**
 * Returns the folder for data outside of the database: the SQLite file's folder, or `./data` with Postgres.
 */
export function dataFolder(databaseUrl: string): string {
  return databaseUrl.startsWith('file:') ? dirname(databaseFile(databaseUrl)) : resolve('data');
}

/** Returns the default of ADMIN_TOKEN_FILE. The server and the commands on its machine both use it. */
export function defaultAdminTokenFile(databaseUrl: string): string {
  return join(dataFolder(databaseUrl), 'admin-token');
}
