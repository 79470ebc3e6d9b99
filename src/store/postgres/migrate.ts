import type { Pool, QueryResultRow } from 'pg';
import {
  type AppliedMigration,
  DATABASE_ID,
  MIGRATIONS_TABLE,
  migrationRow,
  pendingMigrations,
  readMigrations,
} from '../migrations.ts';
import { inTransaction } from './named.ts';

/** The advisory lock that `prisma migrate` takes too, so that the two never run at once. */
const MIGRATION_LOCK = 72707369;

/**
 * Applies pending migrations in one transaction under a lock, so that any number of processes may start at
 * once. Returns the database's id.
 */
export async function migratePostgres(pool: Pool): Promise<string> {
  return inTransaction(pool, async (client) => {
    // Another process may be migrating: that takes as long as it takes.
    await client.query('SET LOCAL lock_timeout = 0');
    await client.query('SELECT pg_advisory_xact_lock($1)', [MIGRATION_LOCK]);
    await client.query(MIGRATIONS_TABLE.postgres);
    const { rows } = await client.query<AppliedMigration & QueryResultRow>(
      `SELECT migration_name AS name, checksum, finished_at IS NOT NULL AS finished
       FROM _prisma_migrations WHERE rolled_back_at IS NULL`,
    );
    for (const migration of pendingMigrations(readMigrations('postgres'), rows)) {
      await client.query(migration.sql);
      await client.query(
        `INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at, applied_steps_count)
         VALUES ($1, $2, $3, now(), 1)`,
        migrationRow(migration),
      );
    }
    const named = await client.query<{ id: string }>(DATABASE_ID);
    return named.rows[0]!.id;
  });
}
