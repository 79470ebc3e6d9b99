import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { openStore } from '../../src/store/open.ts';
import { type Store, StoreUnavailable } from '../../src/store/store.ts';
import { createRun, readLog } from '../suites/store-records.ts';
import {
  describePostgres,
  describePrivatePostgres,
  freshPostgresUrl,
  freshSqliteUrl,
  type PrivatePostgres,
  privatePostgres,
} from '../support/databases.ts';
import { freePort } from '../support/ports.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { type Child, startChild } from './children/start.ts';

const COMMITS_BEFORE_THE_CRASH = 40;

async function open(url: string): Promise<Store> {
  const store = await openStore(url);
  releaseAfterwards(store.close);
  return store;
}

/** Everything that the child was told is stored is there, the three runs are level, and each head fits its log. */
async function expectWhole(store: Store, workspace: string, { lines }: Child): Promise<void> {
  const acknowledged = Number(lines.at(-1));
  const ends = new Set<number>();
  for (const id of ['run-1', 'run-2', 'run-3']) {
    const run = await store.findRun(workspace, id);
    const log = await readLog(store, run!);
    expect(log.map(({ seq }) => seq)).toEqual(log.map((_, index) => index));
    expect(run).toMatchObject({ lastSeq: log.length - 1, eventCount: log.length });
    ends.add(log.length - 1);
  }
  expect(ends.size).toBe(1);
  expect(Math.min(...ends)).toBeGreaterThanOrEqual(acknowledged);
}

test('on SQLite what was acknowledged outlives a killed process, and nothing is half there', async () => {
  const url = await freshSqliteUrl();
  for (let round = 0; round < 3; round += 1) {
    const workspace = randomUUID();
    const child = startChild('append-forever.ts', url, workspace);
    await child.printed(COMMITS_BEFORE_THE_CRASH + round * 7);
    await child.kill();
    const store = await openStore(url);
    await expectWhole(store, workspace, child);
    await store.close();
  }
});

describePrivatePostgres('on a Postgres that goes away', () => {
  async function crash(server: PrivatePostgres, store: Store): Promise<void> {
    await server.stop('immediate');
    await expect(store.ping()).rejects.toThrow(StoreUnavailable);
  }

  test('what was acknowledged outlives its crash, and the same store goes on afterwards', async () => {
    const server = await privatePostgres();
    const url = await freshPostgresUrl(server.url);
    const store = await open(url);
    const workspace = randomUUID();
    const child = startChild('append-forever.ts', url, workspace);
    await child.printed(COMMITS_BEFORE_THE_CRASH);
    await crash(server, store);
    await child.kill();
    await expect(openStore(url)).rejects.toThrow(StoreUnavailable);
    await expect(createRun(store)).rejects.toThrow(StoreUnavailable);
    await server.start();
    await expectWhole(store, workspace, child);
    await createRun(store);
  });

  test('a restart in order breaks the calls under way off, and the next ones are answered', async () => {
    const server = await privatePostgres();
    const store = await open(await freshPostgresUrl(server.url));
    const run = await createRun(store);
    await server.stop('fast');
    await expect(store.findRun(run.workspace, run.id)).rejects.toThrow(StoreUnavailable);
    await server.start();
    expect(await store.findRun(run.workspace, run.id)).toEqual(run);
  });
});

test('a Postgres that nobody runs is unavailable', async () => {
  const url = `postgresql://postgres@127.0.0.1:${await freePort()}/postgres`;
  await expect(openStore(url)).rejects.toThrow(StoreUnavailable);
});

describePostgres('on a Postgres server', ({ freshUrl }) => {
  test('a database that is not there is a mistake, which trying again does not mend', async () => {
    const url = new URL(await freshUrl());
    url.pathname = '/runfeed_no_such_database';
    const fault = await openStore(url.href).catch((error: unknown) => error);
    expect(fault).toMatchObject({ code: '3D000' });
    expect(fault).not.toBeInstanceOf(StoreUnavailable);
  });
});
