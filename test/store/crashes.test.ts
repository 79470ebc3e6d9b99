import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { openStore } from '../../src/store/open.ts';
import type { Store } from '../../src/store/store.ts';
import { StoreUnavailable } from '../../src/store/unavailable.ts';
import { jobOf } from '../suites/store-jobs.ts';
import { createRun, readLog } from '../suites/store-records.ts';
import {
  describePostgres,
  describePrivatePostgres,
  freshPostgresUrl,
  freshSqliteUrl,
  type PrivatePostgres,
  privatePostgres,
} from '../support/databases.ts';
import { beginRival } from '../support/held-rows.ts';
import { freePort } from '../support/ports.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { type Child, startChild } from './children/start.ts';

const COMMITS_BEFORE_THE_CRASH = 40;

async function open(url: string): Promise<Store> {
  const store = await openStore(url);
  releaseAfterwards(store.close);
  return store;
}

/**
 * Checks that every acknowledged event is stored, that the three runs are level, and that heads match logs.
 */
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

test('on SQLite acknowledged events survive a killed process, and no commit is stored in part', async () => {
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

describePrivatePostgres('on a Postgres server that goes down', () => {
  async function crash(server: PrivatePostgres, store: Store): Promise<void> {
    await server.stop('immediate');
    await expect(store.ping()).rejects.toThrow(StoreUnavailable);
  }

  test('acknowledged events survive a crash, and the same store continues to work', async () => {
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

  test('an orderly restart aborts running calls, and later calls succeed', async () => {
    const server = await privatePostgres();
    const store = await open(await freshPostgresUrl(server.url));
    const run = await createRun(store);
    await server.stop('fast');
    await expect(store.findRun(run.workspace, run.id)).rejects.toThrow(StoreUnavailable);
    await server.start();
    expect(await store.findRun(run.workspace, run.id)).toEqual(run);
  });
});

test('a Postgres server that is not running is reported as unavailable', async () => {
  const url = `postgresql://postgres@127.0.0.1:${await freePort()}/postgres`;
  await expect(openStore(url)).rejects.toThrow(StoreUnavailable);
});

describePostgres('on a Postgres server', ({ freshUrl }) => {
  test('a connection that is lost during a transaction fails its call and nothing else', async () => {
    const url = await freshUrl();
    const proxy = await startTcpProxy(url);
    const store = await open(proxy.url);
    const run = await createRun(store);
    const rival = await beginRival(url);
    await rival.query('SELECT 1 FROM run FOR UPDATE');
    const call = expect(store.jobs.create(jobOf(run.key))).rejects.toThrow(StoreUnavailable);
    await rival.untilWaiting(1);
    proxy.cut();
    await call;
    expect(await store.findRun(run.workspace, run.id)).toEqual(run);
  });

  test('a database that does not exist is a permanent error, not an unavailable store', async () => {
    const url = new URL(await freshUrl());
    url.pathname = '/runfeed_no_such_database';
    const fault = await openStore(url.href).catch((error: unknown) => error);
    expect(fault).toMatchObject({ code: '3D000' });
    expect(fault).not.toBeInstanceOf(StoreUnavailable);
  });
});
