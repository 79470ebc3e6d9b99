import type { PrismaClient as PostgresClient } from '../generated/postgres/client.ts';
import type { PrismaClient as SqliteClient } from '../generated/sqlite/client.ts';
import { asCatalogFault, type ReasonOf } from './faults.ts';

/**
 * Prisma's model API over the database in use, for reading rows. Both clients are generated from one schema,
 * so the Postgres types serve both. Only the store writes; on SQLite the connection of this client is
 * read-only. Throws `StoreUnavailable` for the same faults as the store.
 */
export type CatalogClient = PostgresClient;

/** Wraps a Prisma client of either database so that its transient faults become `StoreUnavailable`. */
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
