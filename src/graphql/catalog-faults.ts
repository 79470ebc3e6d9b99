import { StoreUnavailable } from '../store/store.ts';

/** Prisma's codes for a database that cannot be reached, is too slow or has no connection left. */
const PRISMA_UNAVAILABLE = /^(P1001|P1002|P1008|P1017|P2024|P2037)$/;
/** What Postgres says when it starts, stops, or is out of resources, where Prisma has no code for it. */
const SQLSTATE_UNAVAILABLE = /"originalCode":"(08|53|57P0)/;

/** Whether the model API failed because the database is down; lists are read past the store, which else says so. */
export function isCatalogDown(error: unknown): boolean {
  if (!(error instanceof Error) || !error.name.startsWith('PrismaClient')) return false;
  if ('code' in error && PRISMA_UNAVAILABLE.test(String(error.code))) return true;
  return 'meta' in error && SQLSTATE_UNAVAILABLE.test(JSON.stringify(error.meta));
}

/** Reads by the model API; throws `StoreUnavailable` where the database is down, as the store does. */
export async function readCatalog<Value>(read: () => Promise<Value>): Promise<Value> {
  try {
    return await read();
  } catch (error) {
    if (isCatalogDown(error)) throw new StoreUnavailable('the database cannot be reached', { cause: error });
    throw error;
  }
}
