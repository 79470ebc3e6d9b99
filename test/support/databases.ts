import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'vitest';
import { openStore } from '../../src/store/open.ts';
import type { Store } from '../../src/store/store.ts';
import { postgresBinaries } from './private-postgres.ts';
import { releaseAfterwards } from './releases.ts';
import { execute } from './sql.ts';

export { type PrivatePostgres, privatePostgres } from './private-postgres.ts';

/**
 * A Postgres server on which the tests may create databases, such as
 * `postgresql://postgres@127.0.0.1:5432/postgres`.
 */
const testPostgresUrl = process.env.TEST_POSTGRES_URL;

/** A kind of database to run a suite on. */
export interface TestDatabase {
  readonly dialect: Store['dialect'];
  /**
   * Returns the URL of an empty database. It is removed at the end of the test, or of the file if called
   * outside of a test.
   */
  freshUrl(): Promise<string>;
  /**
   * Opens a store, by default on an empty database. It is closed when a database of `freshUrl` would be
   * removed.
   */
  open(url?: string): Promise<Store>;
}

/** Returns a `file:` URL in a new temporary folder. The file does not exist yet. */
export async function freshSqliteUrl(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'runfeed-sqlite-'));
  releaseAfterwards(() => rm(folder, { recursive: true, force: true }));
  return `file:${join(folder, 'runfeed.db')}`;
}

/**
 * Creates an empty database on a server. On the server of TEST_POSTGRES_URL the database is force-dropped
 * afterwards; on other servers it goes with the server.
 */
export async function freshPostgresUrl(server: string | undefined = testPostgresUrl): Promise<string> {
  if (!server) throw new Error('set TEST_POSTGRES_URL to a Postgres server');
  const name = `runfeed_test_${randomUUID().replaceAll('-', '')}`;
  await execute(server, `CREATE DATABASE ${name}`);
  if (server === testPostgresUrl) {
    releaseAfterwards(() => execute(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
  }
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}

const sqlite = testDatabase('sqlite', freshSqliteUrl);
const postgres = testDatabase('postgres', freshPostgresUrl);

/** Runs a suite on SQLite, and on Postgres if TEST_POSTGRES_URL is set. */
export function describeStores(name: string, suite: (database: TestDatabase) => void): void {
  describe(`${name} (SQLite)`, () => suite(sqlite));
  describePostgres(`${name} (Postgres)`, suite);
}

/** Runs a suite on Postgres if TEST_POSTGRES_URL is set. Otherwise reports that it was skipped. */
export function describePostgres(name: string, suite: (database: TestDatabase) => void): void {
  describe(name, () => {
    if (testPostgresUrl) suite(postgres);
    else test.skip('set TEST_POSTGRES_URL to run it', () => {});
  });
}

/**
 * Runs a suite that needs `privatePostgres` if Postgres is installed. Otherwise reports that it was skipped.
 */
export function describePrivatePostgres(name: string, suite: () => void): void {
  describe(name, () => {
    if (postgresBinaries()) suite();
    else test.skip('put initdb and pg_ctl in the PATH to run it', () => {});
  });
}

function testDatabase(dialect: Store['dialect'], freshUrl: () => Promise<string>): TestDatabase {
  return {
    dialect,
    freshUrl: () => freshUrl(),
    open: async (url) => {
      const store = await openStore(url ?? (await freshUrl()));
      let closed: Promise<void> | undefined;
      const close = (): Promise<void> => {
        closed ??= store.close();
        return closed;
      };
      releaseAfterwards(close);
      return { ...store, close };
    },
  };
}
