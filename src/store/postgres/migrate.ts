import type { Pool, QueryResultRow } from 'pg';
import { codeOf } from '../../lib/text/error-line.ts';
import {
  type AppliedMigration,
  DATABASE_ID,
  MIGRATIONS_TABLE,
  migrationRow,
  pendingMigrations,
  readMigrations,
} from '../migrations.ts';
import type { Store } from '../store.ts';
import { inTransaction } from './named.ts';

/** The advisory lock that `prisma migrate` takes too, so that the two never run at once. */
const MIGRATION_LOCK = 72707369;

/** Insufficient privilege, undefined function, and feature not supported. */
const NOT_TOLD = ['42501', '42883', '0A000'];

/** What a database has in `Store`. */
export type DatabaseIdentity = Pick<Store, 'id' | 'copy'>;

/**
 * Applies pending migrations in one transaction under a lock, so that any number of processes may start at
 * once. Returns the database's identity.
 */
export async function migratePostgres(pool: Pool): Promise<DatabaseIdentity> {
  const id = await inTransaction(pool, async (client) => {
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
  return { id, copy: await readCopy(pool) };
}

/** A restored dump has another oid, or is in another cluster: many clusters give their first database one oid. */
async function readCopy(pool: Pool): Promise<string> {
  const { rows } = await pool.query<{ oid: string }>(
    'SELECT oid::text FROM pg_database WHERE datname = current_database()',
  );
  return `${await readCluster(pool)}:${rows[0]!.oid}`;
}

/** Returns the cluster's identifier, or an empty text where the server does not let its users know it. */
async function readCluster(pool: Pool): Promise<string> {
  try {
    const { rows } = await pool.query<{ cluster: string }>(
      'SELECT system_identifier::text AS cluster FROM pg_control_system()',
    );
    return rows[0]!.cluster;
  } catch (error) {
    if (NOT_TOLD.includes(codeOf(error))) return '';
    throw error;
  }
}
