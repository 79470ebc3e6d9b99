import { type StoreWatcher, watchHealth } from './health.ts';
import type { Store } from './store.ts';

/** Callbacks for what happens to an open store. */
export interface StoreListener extends StoreWatcher {
  /** An idle connection broke and is being replaced. */
  onBrokenConnection?(error: Error): void;
}

/**
 * Opens the store at a URL: `file:PATH` (SQLite; creates the folder) or `postgresql://…`. Applies pending
 * migrations first.
 */
export async function openStore(url: string, listener: StoreListener = {}): Promise<Store> {
  return watchHealth(await openUnwatched(url, listener), listener);
}

/** Imports one dialect only: the other driver and Prisma client would add about 100 ms to the start. */
async function openUnwatched(url: string, { onBrokenConnection }: StoreListener): Promise<Store> {
  if (url.startsWith('file:')) return (await import('./sqlite/store.ts')).openSqliteStore(url);
  return (await import('./postgres/store.ts')).openPostgresStore(url, onBrokenConnection);
}
