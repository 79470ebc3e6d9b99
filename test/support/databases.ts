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

/** A Postgres server that the tests may make databases on, such as `postgresql://postgres@127.0.0.1:5432/postgres`. */
const testPostgresUrl = process.env.TEST_POSTGRES_URL;

/** One kind of database to run a suite on. */
export interface TestDatabase {
  readonly dialect: Store['dialect'];
  /** URL of an empty database. Gone at the end of the test, or of the file when called outside of a test. */
  freshUrl(): Promise<string>;
  /** Opens a store, on an empty database unless a URL is given; closed like `freshUrl`'s database goes. */
  open(url?: string): Promise<Store>;
}

/** A `file:` URL in a temporary folder of its own; the file is not there yet. */
export async function freshSqliteUrl(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'runfeed-sqlite-'));
  releaseAfterwards(() => rm(folder, { recursive: true, force: true }));
  return `file:${join(folder, 'runfeed.db')}`;
}

/** Makes an empty database on a server. On TEST_POSTGRES_URL's it is dropped again, by force; another's go with it. */
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

/** Runs a suite on SQLite, and on Postgres when TEST_POSTGRES_URL is set. */
export function describeStores(name: string, suite: (database: TestDatabase) => void): void {
  describe(`${name} (SQLite)`, () => suite(sqlite));
  describePostgres(`${name} (Postgres)`, suite);
}

/** Runs a suite on Postgres when TEST_POSTGRES_URL is set, and else says that it was skipped. */
export function describePostgres(name: string, suite: (database: TestDatabase) => void): void {
  describe(name, () => {
    if (testPostgresUrl) suite(postgres);
    else test.skip('set TEST_POSTGRES_URL to run it', () => {});
  });
}

/** Runs a suite that needs `privatePostgres` where Postgres is installed, and else says that it was skipped. */
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
