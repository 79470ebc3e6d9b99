import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { databaseFile } from '../../src/config/data-folder.ts';
import { openStore } from '../../src/store/open.ts';
import { takeOwnerFolder } from '../../src/substrates/job-folders/owner.ts';
import { openSubstrate } from '../../src/substrates/process/substrate.ts';
import { freshSqliteUrl } from '../support/databases.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { post } from '../support/request.ts';
import { freshFolder } from '../support/scripts.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { sweepTwice } from '../support/sweeps.ts';
import { processesIn, WAIT } from './executors/machine.ts';

interface Place {
  readonly folder: string;
  readonly file: string;
  /** Starts a server on a file in the folder. It is closed after the test. */
  open(name: string, env?: Readonly<Record<string, string>>): Promise<TestServer>;
}

const RUNNERS = { sleeper: { substrate: 'process', command: ['sleep', '300'] } };

/** Returns a folder with a database, whose server has been stopped. */
async function place(): Promise<Place> {
  const file = databaseFile(await freshSqliteUrl());
  const folder = dirname(file);
  const RUNNERS_FILE = join(folder, 'runners.json');
  writeFileSync(RUNNERS_FILE, JSON.stringify({ runners: RUNNERS }));
  releaseAfterwards(() => {
    for (const pid of processesIn(folder)) process.kill(pid, 'SIGKILL');
  });
  const open = async (name: string, env: Readonly<Record<string, string>> = {}) => {
    const server = await startTestServer({
      RUNNERS_FILE,
      DATABASE_URL: `file:${join(folder, name)}`,
      PATH: process.env.PATH ?? '',
      ...env,
    });
    releaseAfterwards(() => server.close());
    return server;
  };
  await (await open('runfeed.db')).close();
  return { folder, file, open };
}

async function start({ graphql }: TestServer, runId: string): Promise<void> {
  await post(graphql, `mutation { startJob(input: { runId: "${runId}", provider: openai }) { __typename } }`);
  await expect.poll(() => statusOf({ graphql }, runId), WAIT).toBe('running');
}

async function statusOf({ graphql }: Pick<TestServer, 'graphql'>, runId: string): Promise<unknown> {
  const { body } = await post(graphql, `{ job(runId: "${runId}") { status } }`);
  return (body.data?.job as unknown as { status?: unknown } | null)?.status;
}

/** A stopped server leaves a log. With the same key, the copy makes the same hashes of specs. */
const SUFFIXES = ['', '-wal', '-key'];

/** Calls back for each file of a stopped server's database, and what the same file of another is called. */
function forFiles(file: string, to: string, each: (from: string, to: string) => void): void {
  for (const suffix of SUFFIXES) if (existsSync(file + suffix)) each(file + suffix, to + suffix);
}

test('a server on a copy of a database does not start in the job folder of the original, running or stopped', async () => {
  const { folder, file, open } = await place();
  forFiles(file, join(folder, 'copy.db'), copyFileSync);
  const original = await open('runfeed.db');
  await start(original, 'live');
  await expect(open('copy.db')).rejects.toThrow(
    `JOBS_FOLDER: a server on ${file} runs the jobs of this database, one of the two being a copy: set JOBS_FOLDER to another folder`,
  );
  expect(await statusOf(original, 'live')).toBe('running');
  await original.close();
  await expect(open('copy.db')).rejects.toThrow(`the jobs here are those of ${file}, of which`);
  expect(await statusOf(await open('runfeed.db'), 'live')).toBe('running');
});

test('a server on a copy with a job folder of its own leaves a job alone that was copied while it ran', async () => {
  const { folder, file, open } = await place();
  const first = await open('runfeed.db');
  await start(first, 'live');
  await first.close();
  forFiles(file, join(folder, 'copy.db'), copyFileSync);
  const original = await open('runfeed.db');
  const copy = await open('copy.db', { JOBS_FOLDER: join(folder, 'other jobs') });
  await expect.poll(() => statusOf(copy, 'live'), WAIT).toBe('failed');
  expect(await statusOf(original, 'live')).toBe('running');
});

test.each([
  ['was renamed', (file: string, to: string) => forFiles(file, to, renameSync)],
  [
    'was copied and then moved away',
    (file: string, to: string) => {
      forFiles(file, to, copyFileSync);
      forFiles(file, `${file}-old`, renameSync);
    },
  ],
])('a database that %s has its running jobs as before', async (_, move) => {
  const { folder, file, open } = await place();
  const before = await open('runfeed.db');
  await start(before, 'live');
  await before.close();
  move(file, join(folder, 'moved.db'));
  expect(await statusOf(await open('moved.db'), 'live')).toBe('running');
});

test('a backup that was copied over the database, into the same inode, ends no job that it does not know', async () => {
  const { folder, file, open } = await place();
  forFiles(file, join(folder, 'backup.db'), copyFileSync);
  const server = await open('runfeed.db');
  await start(server, 'after-backup');
  await server.close();
  const running = processesIn(folder);
  const { ino } = statSync(file);
  for (const suffix of ['-wal', '-shm']) rmSync(file + suffix, { force: true });
  forFiles(join(folder, 'backup.db'), file, copyFileSync);
  expect(statSync(file).ino).toBe(ino);
  // A server's own sweep comes after minutes, and spares jobs of the last ten.
  const store = await openStore(`file:${file}`);
  releaseAfterwards(() => store.close());
  const { substrate } = await openSubstrate({
    runners: [],
    config: {},
    environment: {},
    folder: join(folder, 'jobs'),
    owner: store,
    jobsUser: null,
    log: { warn: () => {}, error: () => {} },
  });
  releaseAfterwards(() => substrate.close());
  expect(await substrate.list()).toHaveLength(1);
  expect(await sweepTwice(store, substrate)).toEqual([]);
  expect(processesIn(folder)).toEqual(running);
});

const taken: { release(): void }[] = [];
afterEach(() => {
  for (const lock of taken.splice(0)) lock.release();
});

test('a folder of jobs is one server’s at a time, even if it cannot see the other’s database', async () => {
  const folder = join(await freshFolder(), 'of');
  mkdirSync(folder);
  const [one, other] = ['/not-here/one.db', '/not-here/other.db'] as const;
  const lock = await takeOwnerFolder(folder, one);
  await expect(takeOwnerFolder(folder, other)).rejects.toThrow('a server on /not-here/one.db runs the jobs');
  lock.release();
  taken.push(await takeOwnerFolder(folder, other));
});
