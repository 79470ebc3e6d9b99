import { type StoreWatcher, watchHealth } from './health.ts';
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
  return watchHealth(await openUnwatched(url, listener), listener);
}

/** Imports the modules of one dialect only: the other's driver and Prisma client would take some 100 ms of the start. */
async function openUnwatched(url: string, { onBrokenConnection }: StoreListener): Promise<Store> {
  if (url.startsWith('file:')) return (await import('./sqlite/store.ts')).openSqliteStore(url);
  return (await import('./postgres/store.ts')).openPostgresStore(url, onBrokenConnection);
}
