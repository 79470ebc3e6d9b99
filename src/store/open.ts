import { type StoreWatcher, watchHealth } from './health.ts';
import { openPostgresStore } from './postgres/store.ts';
import { openSqliteStore } from './sqlite/store.ts';
import type { Store } from './store.ts';

/** Learns what happens to an open store. */
export interface StoreListener extends StoreWatcher {
  /** An idle connection broke. It is replaced. */
  onBrokenConnection?(error: Error): void;
}

/**
 * Opens the store that the URL names: `file:PATH` (SQLite, the folder is made) or `postgresql://…`. Pending
 * migrations are applied first.
 */
export async function openStore(url: string, listener: StoreListener = {}): Promise<Store> {
  const store = url.startsWith('file:')
    ? await openSqliteStore(url)
    : await openPostgresStore(url, listener.onBrokenConnection);
  return watchHealth(store, listener);
}
