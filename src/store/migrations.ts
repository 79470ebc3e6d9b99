import { createHash, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The folder with each dialect's migrations. The relative path is valid from `src` and from `dist`. */
export const MIGRATION_FOLDERS = {
  postgres: fileURLToPath(new URL('../../prisma/migrations/', import.meta.url)),
  sqlite: fileURLToPath(new URL('../../prisma/sqlite/migrations/', import.meta.url)),
} as const;

/** One migration. `checksum` is computed as Prisma does: SHA-256 of the file, in hex. */
export interface Migration {
  readonly name: string;
  readonly sql: string;
  readonly checksum: string;
}

/** A row of Prisma's table of applied migrations. */
export interface AppliedMigration {
  readonly name: string;
  readonly checksum: string;
  readonly finished: boolean;
}

/** Prisma's table as Prisma's engine creates it, so that `prisma migrate deploy` and this server agree. */
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

/** Reads a dialect's migrations, oldest first. */
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
 * Returns the migrations still to apply. Throws if the database has a migration that is unknown here (a newer
 * runfeed was run on it), one that was edited after it was applied, or one that failed halfway.
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
        `the database has migration ${step.name}, which is unknown to this version: run the newer runfeed`,
      );
    }
    if (!step.finished)
      throw new Error(`migration ${step.name} never finished: restore the database from a backup`);
    if (migration.checksum !== step.checksum) {
      throw new Error(`migration ${step.name} was edited after it was applied: restore the original file`);
    }
  }
  const done = new Set(applied.map((step) => step.name));
  return history.filter((migration) => !done.has(migration.name));
}

/**
 * Reads the id of a database: the random id in the row of its first migration, which every database of every
 * version has. A copy of a database has the same id.
 */
export const DATABASE_ID =
  'SELECT id FROM _prisma_migrations WHERE rolled_back_at IS NULL ORDER BY migration_name LIMIT 1';

/** Returns the values for the row of a finished migration: id, checksum, name. */
export function migrationRow(migration: Migration): [id: string, checksum: string, name: string] {
  return [randomUUID(), migration.checksum, migration.name];
}
