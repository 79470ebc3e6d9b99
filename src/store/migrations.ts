import { createHash, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Where each dialect's history lies; the same place seen from `src` and from `dist`. */
export const MIGRATION_FOLDERS = {
  postgres: fileURLToPath(new URL('../../prisma/migrations/', import.meta.url)),
  sqlite: fileURLToPath(new URL('../../prisma/sqlite/migrations/', import.meta.url)),
} as const;

/** One step of a history. `checksum` is Prisma's: SHA-256 of the file, in hex. */
export interface Migration {
  readonly name: string;
  readonly sql: string;
  readonly checksum: string;
}

/** A row of Prisma's own table of applied steps. */
export interface AppliedMigration {
  readonly name: string;
  readonly checksum: string;
  readonly finished: boolean;
}

/** Prisma's table, as its own engine makes it, so that `prisma migrate deploy` and this server agree. */
export const MIGRATIONS_TABLE = {
  postgres: `CREATE TABLE IF NOT EXISTS _prisma_migrations (
    id VARCHAR(36) PRIMARY KEY NOT NULL, checksum VARCHAR(64) NOT NULL, finished_at TIMESTAMPTZ,
    migration_name VARCHAR(255) NOT NULL, logs TEXT, rolled_back_at TIMESTAMPTZ,
    started_at TIMESTAMPTZ NOT NULL DEFAULT now(), applied_steps_count INTEGER NOT NULL DEFAULT 0)`,
  sqlite: `CREATE TABLE IF NOT EXISTS "_prisma_migrations" (
    "id" TEXT PRIMARY KEY NOT NULL, "checksum" TEXT NOT NULL, "finished_at" DATETIME,
    "migration_name" TEXT NOT NULL, "logs" TEXT, "rolled_back_at" DATETIME,
    "started_at" DATETIME NOT NULL DEFAULT current_timestamp,
    "applied_steps_count" INTEGER UNSIGNED NOT NULL DEFAULT 0)`,
} as const;

/** Reads a dialect's history, oldest step first. */
export function readMigrations(dialect: keyof typeof MIGRATION_FOLDERS): Migration[] {
  const folder = MIGRATION_FOLDERS[dialect];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort()
    .map((name) => {
      const sql = readFileSync(`${folder}${name}/migration.sql`, 'utf8');
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
    });
}

/**
 * The steps still to apply. Throws when the database was made by another history: a step that is unknown here (a
 * newer runfeed was run on it), one that was edited after it was applied, or one that failed half-way.
 */
export function pendingMigrations(
  history: readonly Migration[],
  applied: readonly AppliedMigration[],
): Migration[] {
  const known = new Map(history.map((migration) => [migration.name, migration]));
  for (const step of applied) {
    const migration = known.get(step.name);
    if (!migration) {
      throw new Error(
        `the database has migration ${step.name}, which this version does not know: run the newer runfeed`,
      );
    }
    if (!step.finished)
      throw new Error(`migration ${step.name} was started and never finished: restore the database`);
    if (migration.checksum !== step.checksum) {
      throw new Error(`migration ${step.name} differs from what was applied: restore its file`);
    }
  }
  const done = new Set(applied.map((step) => step.name));
  return history.filter((migration) => !done.has(migration.name));
}

/**
 * Reads what names a database: the random id of its first step's row, which every database of every version has. A copy
 * has its original's.
 */
export const DATABASE_ID =
  'SELECT id FROM _prisma_migrations WHERE rolled_back_at IS NULL ORDER BY migration_name LIMIT 1';

/** Values of a finished step's row: id, checksum, name. */
export function migrationRow(migration: Migration): [id: string, checksum: string, name: string] {
  return [randomUUID(), migration.checksum, migration.name];
}
