import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3';

// Not TypeScript, because it needs packages that only the benchmark installs, and type checks must work
// without them.

/** Creates Prisma's own SQLite adapter with the driver of `stock-driver`. */
export function stockSqliteAdapter(url) {
  return new PrismaBetterSqlite3({ url });
}
