import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3';

// A module without TypeScript, like all that needs what only the bench installs: the types of the rest do without it.

/** Prisma's own adapter for SQLite, on the driver of `stock-driver`. */
export function stockSqliteAdapter(url) {
  return new PrismaBetterSqlite3({ url });
}
