import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { databaseFile } from '../../src/config/data-folder.ts';
import { describePostgres, freshSqliteUrl } from '../support/databases.ts';
import { codesOf } from '../support/error-codes.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { CREATE_RUN, INGEST, post } from '../support/request.ts';
import { eventually, newRun } from '../support/runs.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { execute } from '../support/sql.ts';

const isRoot = process.getuid?.() === 0;

/** A little more than twice the second after which only the folder is checked. */
const CHECKS_LESS_AFTER_MS = 2_500;

const READY = [200, { status: 'ready' }];
const NOT_READY = [503, { status: 'store unavailable' }];

async function start(env: Readonly<Record<string, string>> = {}): Promise<TestServer> {
  const server = await startTestServer({ LOG_LEVEL: 'info', ...env });
  releaseAfterwards(() => server.close());
  return server;
}

async function readiness({ url }: TestServer): Promise<[number, unknown]> {
  const response = await fetch(`${url}/ready`);
  return [response.status, await response.json()];
}

const aboutTheStore = ({ logged }: TestServer) => logged.filter((line) => line.startsWith('the store'));

/** Returns the codes of a query's errors, or none if it succeeded. */
async function faultsOf(server: TestServer, query: string, variables?: Record<string, unknown>) {
  const { body } = await post(server.graphql, query, variables);
  return body.errors ? codesOf(body.errors) : [];
}

const createRun = (server: TestServer, id: string) => faultsOf(server, CREATE_RUN, { id });

/** Mounts a tmpfs of this size for the duration of the test. */
function mountTmpfs(size: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'runfeed-tmpfs-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder]);
  releaseAfterwards(() => {
    execFileSync('umount', ['-l', folder]);
    rmSync(folder, { recursive: true });
  });
  return folder;
}

/** Moves the file aside and puts a symbolic link to it in its place, so that the path leads to the same file. */
function linkToItself(path: string): void {
  renameSync(path, `${path}-moved`);
  symlinkSync(`${path}-moved`, path);
}

function replaceFile(path: string): void {
  renameSync(path, `${path}-old`);
  writeFileSync(path, '');
}

const TAKEN_AWAY = [
  ['the database is deleted', '', (path: string) => rmSync(path)],
  ['the database is replaced', '', replaceFile],
  ['the write-ahead log is deleted', '-wal', (path: string) => rmSync(path)],
  ['the lock is deleted', '-lock', (path: string) => rmSync(path)],
  ['the database is moved behind a symbolic link', '', linkToItself],
  ['the write-ahead log is moved behind a symbolic link', '-wal', linkToItself],
  ['the lock is moved behind a symbolic link', '-lock', linkToItself],
] as const;

describe('a SQLite server whose files are removed', () => {
  test.each(TAKEN_AWAY)(
    'acknowledges nothing more once %s, is not ready, and logs one line',
    async (_, part, take) => {
      const server = await start();
      await newRun(server.graphql);
      const path = `${databaseFile(server.config.databaseUrl)}${part}`;
      take(path);
      expect(await createRun(server, 'lost')).toEqual(['STORE_UNAVAILABLE']);
      expect(await createRun(server, 'lost-too')).toEqual(['STORE_UNAVAILABLE']);
      expect(await readiness(server)).toEqual(NOT_READY);
      const told = `the store is failing: ${path} was deleted or replaced, `;
      expect(aboutTheStore(server)).toEqual([expect.stringContaining(told)]);
      expect(aboutTheStore(server)[0]).toContain('restart the server');
    },
  );

  test.each(TAKEN_AWAY)(
    'never acknowledges anything again once %s, not even a retry of what was refused',
    async (_, part, take) => {
      const server = await start();
      const runId = await newRun(server.graphql);
      const event = (seq: number) => ({ seq, tMs: 0, kind: 'notification', data: {} });
      const send = (seq: number) => faultsOf(server, INGEST, { b: { v: 1, runId, events: [event(seq)] } });
      expect(await send(0)).toEqual([]);
      take(`${databaseFile(server.config.databaseUrl)}${part}`);
      const until = performance.now() + CHECKS_LESS_AFTER_MS;
      while (performance.now() < until) {
        expect(await send(1)).toEqual(['STORE_UNAVAILABLE']);
        expect(await send(0)).toEqual(['STORE_UNAVAILABLE']);
        expect(await readiness(server)).toEqual(NOT_READY);
        await sleep(20);
      }
    },
    30_000,
  );

  test('notices it even after running for a while, when it checks less often', async () => {
    const cases = [
      ...TAKEN_AWAY.map(([name, part, take]) => ({ name, take: (path: string) => take(`${path}${part}`) })),
      {
        name: 'the folder is renamed',
        take: (path: string) => renameSync(dirname(path), `${dirname(path)}-moved`),
      },
    ];
    const refusals = cases.map(async ({ name, take }) => {
      const server = await start();
      const quietAt = performance.now() + CHECKS_LESS_AFTER_MS;
      for (let n = 0; performance.now() < quietAt; n += 1) {
        expect(await createRun(server, `run${n}`)).toEqual([]);
        await sleep(50);
      }
      take(databaseFile(server.config.databaseUrl));
      return { name, answer: await createRun(server, 'lost') };
    });
    expect(await Promise.all(refusals)).toEqual(
      cases.map(({ name }) => ({ name, answer: ['STORE_UNAVAILABLE'] })),
    );
  });

  test('acknowledges nothing while its file has a second hard link, and goes on without it', async () => {
    const server = await start();
    await newRun(server.graphql);
    const file = databaseFile(server.config.databaseUrl);
    // In another folder, so that only the file itself tells.
    const twin = join(mkdtempSync(join(tmpdir(), 'runfeed-twin-')), 'twin.db');
    releaseAfterwards(() => rmSync(dirname(twin), { recursive: true }));
    linkSync(file, twin);
    let created = 0;
    await eventually(async () => (await createRun(server, `run${created++}`)).length > 0);
    expect(await createRun(server, 'refused')).toEqual(['STORE_UNAVAILABLE']);
    expect(await readiness(server)).toEqual(NOT_READY);
    expect(aboutTheStore(server)).toEqual([expect.stringContaining(`${file} has 2 hard links`)]);
    await expect(startTestServer({ DATABASE_URL: `file:${twin}` })).rejects.toThrow('has 2 hard links');
    rmSync(twin);
    expect(await createRun(server, 'accepted')).toEqual([]);
    await eventually(async () => (await readiness(server))[0] === 200);
  });

  test('notices that the link to the database file now points to another file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'runfeed-linked-'));
    releaseAfterwards(() => rmSync(folder, { recursive: true }));
    const link = join(folder, 'link.sqlite');
    const [one, other] = ['one', 'other'].map((name) => {
      mkdirSync(join(folder, name), { mode: 0o700 });
      const file = join(folder, name, 'runfeed.sqlite');
      writeFileSync(file, '');
      return file;
    });
    symlinkSync(one!, link);
    const server = await start({ DATABASE_URL: `file:${link}` });
    await newRun(server.graphql);
    rmSync(link);
    symlinkSync(other!, link);
    expect(await createRun(server, 'lost')).toEqual(['STORE_UNAVAILABLE']);
  });
});

describe.skipIf(!isRoot)('a SQLite server on a separate disk (needs root for mount)', () => {
  test('logs a full disk once, and its recovery once; meanwhile the server is not ready', async () => {
    const disk = mountTmpfs('6m');
    const server = await start({ DATABASE_URL: `file:${disk}/runfeed.db` });
    const runId = await newRun(server.graphql);
    expect(await readiness(server)).toEqual(READY);
    writeFileSync(join(disk, 'filler'), Buffer.alloc(4 * 1024 * 1024));
    let faults: string[] = [];
    for (let seq = 0; faults.length === 0; seq += 1) {
      expect(seq).toBeLessThan(300);
      const events = [{ seq, tMs: 0, kind: 'notification', data: { text: 'x'.repeat(20_000) } }];
      faults = await faultsOf(server, INGEST, { b: { v: 1, runId, events } });
    }
    expect(faults).toEqual(['STORE_UNAVAILABLE']);
    expect(await readiness(server)).toEqual(NOT_READY);
    rmSync(join(disk, 'filler'));
    await eventually(async () => aboutTheStore(server).length > 1);
    expect(await readiness(server)).toEqual(READY);
    expect(aboutTheStore(server)).toEqual([
      expect.stringMatching(/^the store is failing: .*SQLITE_FULL/),
      'the store has recovered',
    ]);
  });

  test('does not start on a read-only mount, and names the file', async () => {
    const disk = mountTmpfs('6m');
    const DATABASE_URL = `file:${disk}/runfeed.db`;
    await (await startTestServer({ DATABASE_URL })).close();
    execFileSync('mount', ['-o', 'remount,ro', disk]);
    await expect(startTestServer({ DATABASE_URL })).rejects.toMatchObject({
      name: 'StartFault',
      message: expect.stringMatching(
        /^DATABASE_URL: cannot use .*runfeed\.db as a database: .*\((SQLITE|EROFS)\w*\)$/,
      ),
    });
  });
});

test.each([
  [
    'a database file in another format',
    'runfeed.db',
    (path: string) => writeFileSync(path, 'text'.repeat(1_000)),
    /is not a SQLite database/,
  ],
  [
    'a file instead of the data folder',
    'runfeed.db/below.db',
    (path: string) => writeFileSync(join(path, '..'), ''),
    /EEXIST|ENOTDIR/,
  ],
  [
    'a file instead of the jobs folder',
    'runfeed.db',
    (path: string) => writeFileSync(join(path, '..', 'jobs'), ''),
    /^StartFault: JOBS_FOLDER: E/,
  ],
  [
    'a key file that is too short',
    'runfeed.db',
    (path: string) => writeFileSync(`${path}-key`, 'short'),
    /runfeed\.db-key must contain/,
  ],
])('a server does not start with %s, and names the file', async (_, name, put, cause) => {
  const DATABASE_URL = (await freshSqliteUrl()).replace('runfeed.db', name);
  put(databaseFile(DATABASE_URL));
  const refused = await startTestServer({ DATABASE_URL }).catch((error: unknown) => error);
  expect(refused).toMatchObject({ name: 'StartFault' });
  expect(String(refused)).toMatch(cause);
  expect(String(refused)).toContain(dirname(databaseFile(DATABASE_URL)));
  expect(String(refused)).not.toContain('\n');
});

describePostgres('a server on a Postgres', ({ freshUrl }) => {
  test('that cancels statements or is read-only answers STORE_UNAVAILABLE and logs each problem once', async () => {
    const url = await freshUrl();
    const database = new URL(url).pathname.slice(1);
    const admin = `${url}?options=-c%20default_transaction_read_only%3Doff`;
    const server = await start({ DATABASE_URL: url });
    await newRun(server.graphql);
    expect(await readiness(server)).toEqual(READY);
    const set = async (setting: string) => {
      await execute(admin, `ALTER DATABASE ${database} ${setting}`);
      await execute(
        admin,
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'runfeed'`,
      );
    };
    await set("SET default_transaction_read_only = 'on'");
    await eventually(async () => (await readiness(server))[0] === 503);
    expect(await createRun(server, 'read-only')).toEqual(['STORE_UNAVAILABLE']);
    await set('RESET default_transaction_read_only');
    await eventually(async () => aboutTheStore(server).length === 2);
    expect(await readiness(server)).toEqual(READY);
    expect(aboutTheStore(server)).toEqual([
      expect.stringMatching(/^the store is failing: .*(read-only|terminat|25006)/),
      'the store has recovered',
    ]);
    await set("SET statement_timeout = '200ms'");
    const rival = new pg.Client({ connectionString: admin, statement_timeout: 0 });
    await rival.connect();
    await rival.query('BEGIN; LOCK TABLE run IN ACCESS EXCLUSIVE MODE');
    const list = '{ runs(first: 1) { nodes { id } } }';
    await eventually(async () => (await faultsOf(server, list)).length > 0);
    expect(await faultsOf(server, list)).toEqual(['STORE_UNAVAILABLE']);
    expect(await createRun(server, 'late')).toEqual(['STORE_UNAVAILABLE']);
    await rival.end();
    expect(await faultsOf(server, list)).toEqual([]);
    expect(aboutTheStore(server)).toHaveLength(3);
  });
});
