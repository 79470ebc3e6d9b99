import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The database when DATABASE_URL is not set. */
export const DEFAULT_DATABASE_URL = 'file:./data/runfeed.db';

/** The path that a `file:` URL means: relative ones start at the working directory. */
export function databaseFile(url: string): string {
  return url.startsWith('file://') ? fileURLToPath(url) : resolve(url.slice('file:'.length));
}

/** Where a server keeps what is not in its database: in the SQLite file's folder, and with Postgres in `./data`. */
export function dataFolder(databaseUrl: string): string {
  return databaseUrl.startsWith('file:') ? dirname(databaseFile(databaseUrl)) : resolve('data');
}

/** The file with the admin token unless ADMIN_TOKEN_FILE names another. The server and its own commands agree on it. */
export function defaultAdminTokenFile(databaseUrl: string): string {
  return join(dataFolder(databaseUrl), 'admin-token');
}
