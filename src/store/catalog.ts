import type { PrismaClient as PostgresClient } from '../generated/postgres/client.ts';
import type { PrismaClient as SqliteClient } from '../generated/sqlite/client.ts';

/**
 * Prisma's model API over whichever database is in use. Both clients come from one schema, so the Postgres types
 * serve for both; writing through it is not offered, since SQLite's connection behind it is read-only.
 */
export type CatalogClient = Omit<PostgresClient, `$${string}`>;

/** Sees a SQLite client as what it is: the same models. */
export function asCatalog(client: PostgresClient | SqliteClient): CatalogClient {
  return client as PostgresClient;
}
