import { openPostgresStore } from './postgres/store.ts';
import { openSqliteStore } from './sqlite/store.ts';
import type { Store } from './store.ts';

/**
 * Opens the store that the URL names: `file:PATH` (SQLite, the folder is made) or `postgresql://…`. Pending
 * migrations are applied first. `onError` hears of idle connections that broke; they are replaced.
 */
export function openStore(url: string, onError?: (error: Error) => void): Promise<Store> {
  return url.startsWith('file:') ? openSqliteStore(url) : openPostgresStore(url, onError);
}
