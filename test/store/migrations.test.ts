import { describe, expect, test } from 'vitest';
import { pendingMigrations, readMigrations } from '../../src/store/migrations.ts';
import { openStore } from '../../src/store/open.ts';
import { describePostgres, describeStores, freshSqliteUrl } from '../support/databases.ts';
import { execute } from '../support/sql.ts';

describeStores('opening a store', (database) => {
  const migrated = async (): Promise<string> => {
    const url = await database.freshUrl();
    await (await openStore(url)).close();
    return url;
  };
  const refusal = async (change: string): Promise<unknown> => {
    const url = await migrated();
    await execute(url, change);
    return openStore(url).catch((error: unknown) => error);
  };

  test("applies the migrations once and records them as Prisma's own tool would", async () => {
    const url = await migrated();
    await (await openStore(url)).close();
    const rows = await execute(
      url,
      `SELECT migration_name AS name, checksum, applied_steps_count AS steps, logs,
         finished_at IS NOT NULL AND started_at IS NOT NULL AS finished
       FROM _prisma_migrations ORDER BY migration_name`,
    );
    const finished = database.dialect === 'sqlite' ? 1 : true;
    const history = readMigrations(database.dialect);
    expect(rows).toEqual(
      history.map(({ name, checksum }) => ({ name, checksum, steps: 1, logs: null, finished })),
    );
  });

  test('keeps stored runs', async () => {
    const url = await database.freshUrl();
    const store = await openStore(url);
    const { run } = await store.createRun({
      workspace: 'w',
      id: 'r',
      provider: 'deepseek',
      runtime: 'native',
      title: null,
      labels: '{}',
      createdAt: 1,
    });
    await store.close();
    expect(await (await database.open(url)).findRun('w', 'r')).toEqual(run);
  });

  test('refuses a database of a newer version', async () => {
    const added = `INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at, applied_steps_count)
      VALUES ('x', 'x', '99991231000000_from_the_future', current_timestamp, 1)`;
    expect(String(await refusal(added))).toMatch(/99991231000000_from_the_future.*run the newer runfeed/);
  });

  test('refuses a database whose migration was edited after it was applied', async () => {
    expect(String(await refusal(`UPDATE _prisma_migrations SET checksum = 'x'`))).toMatch(/_init was edited/);
  });

  test('refuses a database with a migration that never finished', async () => {
    expect(String(await refusal('UPDATE _prisma_migrations SET finished_at = NULL'))).toMatch(
      /_init .*never finished/,
    );
  });

  test('a refused database is released and opens after it is repaired', async () => {
    const url = await migrated();
    const [newest] = await execute(url, 'SELECT max(migration_name) AS name FROM _prisma_migrations');
    const { name } = newest as { name: string };
    await execute(
      url,
      `UPDATE _prisma_migrations SET migration_name = 'other' WHERE migration_name = '${name}'`,
    );
    await expect(openStore(url)).rejects.toThrow('other');
    await execute(
      url,
      `UPDATE _prisma_migrations SET migration_name = '${name}' WHERE migration_name = 'other'`,
    );
    await (await database.open(url)).ping();
  });
});

describePostgres('ten processes that open one empty Postgres database at once', (database) => {
  test.each(['read committed', 'repeatable read'])(
    'all succeed if transactions are %s',
    async (isolation) => {
      const url = await database.freshUrl();
      const name = new URL(url).pathname.slice(1);
      await execute(url, `ALTER DATABASE ${name} SET default_transaction_isolation = '${isolation}'`);
      const stores = await Promise.all(Array.from({ length: 10 }, () => database.open(url)));
      await Promise.all(stores.map((store) => store.ping()));
      const rows = await execute(url, 'SELECT migration_name AS name FROM _prisma_migrations');
      expect(rows).toEqual(readMigrations('postgres').map(({ name }) => ({ name })));
    },
  );
});

describe('pending migrations', () => {
  const step = (name: string) => ({ name, sql: '', checksum: `sum-of-${name}` });
  const applied = (name: string) => ({ name, checksum: `sum-of-${name}`, finished: true });
  const history = [step('1'), step('2'), step('3')];

  test('are the migrations not yet applied, in order', () => {
    expect(pendingMigrations(history, [])).toEqual(history);
    expect(pendingMigrations(history, [applied('1')])).toEqual([step('2'), step('3')]);
    expect(pendingMigrations(history, [applied('1'), applied('2'), applied('3')])).toEqual([]);
  });

  test('include a migration that was merged late, between applied ones', () => {
    expect(pendingMigrations(history, [applied('1'), applied('3')])).toEqual([step('2')]);
  });
});

test("Prisma's connection to SQLite cannot write", async () => {
  const store = await openStore(await freshSqliteUrl());
  await expect(store.catalog.run.deleteMany()).rejects.toThrow(/is read-only/i);
  await expect(store.catalog.$queryRaw`DELETE FROM run RETURNING key`).rejects.toThrow(/readonly/i);
  await store.close();
});
