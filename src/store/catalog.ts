import type { PrismaClient as PostgresClient } from '../generated/postgres/client.ts';
import type { PrismaClient as SqliteClient } from '../generated/sqlite/client.ts';

/**
 * Prisma's model API over whichever database is in use: for reading lists. Both clients come from one schema, so the
 * Postgres types serve for both. Writing is the store's own; SQLite's connection behind this one is read-only.
 */
export type CatalogClient = PostgresClient;

/** Sees a SQLite client as what it is: the same models. */
export function asCatalog(client: PostgresClient | SqliteClient): CatalogClient {
  return client as PostgresClient;
}
