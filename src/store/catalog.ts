import type { PrismaClient as PostgresClient } from '../generated/postgres/client.ts';
import type { PrismaClient as SqliteClient } from '../generated/sqlite/client.ts';
import { asCatalogFault, type ReasonOf } from './faults.ts';

/**
 * Prisma's model API over whichever database is in use: for reading lists. Both clients come from one schema, so the
 * Postgres types serve for both. Writing is the store's own; SQLite's connection behind this one is read-only. It
 * throws `StoreUnavailable` where the store does.
 */
export type CatalogClient = PostgresClient;

/** A client of either database as the catalogue: the same models, with the store's faults. */
export function asCatalog(client: PostgresClient | SqliteClient, reasonOf: ReasonOf): CatalogClient {
  const extended = (client as PostgresClient).$extends({
    query: {
      $allOperations: async ({ args, query }) => {
        try {
          return await query(args);
        } catch (error) {
          throw asCatalogFault(error, reasonOf);
        }
      },
    },
  });
  // An extended client lacks only `$on`, which nothing here uses.
  return extended as unknown as CatalogClient;
}
