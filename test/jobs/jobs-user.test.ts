import { randomBytes } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { databaseFile } from '../../src/config/data-folder.ts';
import { REDACTED } from '../../src/lib/secrets/redact.ts';
import { freshSqliteUrl } from '../support/databases.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { post } from '../support/request.ts';
import { startServe } from '../support/runfeed-process.ts';
import { freshFolder } from '../support/scripts.ts';
import { startTestServer } from '../support/server.ts';
import { processesIn, WAIT } from './executors/machine.ts';

const [FIRST, LAST] = [64_100, 64_199];

/**
 * Tries to read the given files, the server's environment and every other one, and prints what it could read.
 * Leaves a process behind that carries no mark of the job.
 */
const SPY = `
grep -E '^(Uid|Groups)' /proc/self/status | tr '\\t' ' '
echo "umask $(umask)"; pwd > here; cat "$(pwd)/here" > /dev/null && echo 'works at home'
server=$(sed -n 's/^PPid:[^0-9]*//p' /proc/$PPID/status)
for file in $FILES /proc/$server/environ /proc/$PPID/environ ../spec.json ../log; do
  if cat "$file" > /dev/null 2> why; then echo "read $(basename "$file")"
  else grep -q 'Permission denied' why && echo "refused $(basename "$file")" || cat why; fi
done
ls "$(dirname "$(dirname "$(pwd)")")" > /dev/null 2>&1 && echo 'listed the jobs'
cat /proc/[0-9]*/environ 2> /dev/null | tr '\\0' '\\n' | grep -aE '^(SECRET_KEYS|NEIGHBOUR)='
env -i setsid sleep 300 &
echo done; sleep 300
`;

interface Server {
  readonly graphql: string;
}

/** Returns the environment that every server here is started with, and its jobs folder. */
async function installation() {
  const DATABASE_URL = await freshSqliteUrl();
  const data = dirname(databaseFile(DATABASE_URL));
  const folder = await freshFolder();
  const keyFile = join(folder, 'key');
  await mkdir(folder, { recursive: true });
  await writeFile(keyFile, 'a key', { mode: 0o600 });
  const files = [keyFile, ...['runfeed.db', 'runfeed.db-wal', 'admin-token'].map((name) => join(data, name))];
  const RUNNERS_FILE = join(folder, 'runners.json');
  const runners = {
    spy: { substrate: 'process', command: ['sh', '-c', SPY], env: { FILES: files.join(' ') } },
    neighbour: {
      substrate: 'process',
      command: ['sleep', '300'],
      secrets: { NEIGHBOUR: 'the neighbour’s own' },
    },
  };
  await writeFile(RUNNERS_FILE, JSON.stringify({ runners }));
  releaseAfterwards(() => {
    for (const pid of processesIn(data)) process.kill(pid, 'SIGKILL');
  });
  return {
    env: { RUNNERS_FILE, DATABASE_URL, PATH: process.env.PATH ?? '' },
    jobsFolder: join(data, 'jobs'),
  };
}

/** Starts a server in this process, whose environment a job then tries to read. */
async function startServer(JOBS_USER: string) {
  const { env, jobsFolder } = await installation();
  const server = await startTestServer({ ...env, JOBS_USER });
  releaseAfterwards(() => server.close());
  return { ...server, jobsFolder };
}

const jobNames = (folder: string) => readdirSync(folder).filter((name) => /^[0-9a-f]{32}$/.test(name));

const isJobs = (pid: string) => {
  const uid = statSync(join('/proc', pid), { throwIfNoEntry: false })?.uid ?? 0;
  return uid >= FIRST && uid <= LAST;
};

async function start({ graphql }: Server, runner: string): Promise<void> {
  const query = `mutation { startJob(input: { runId: "${runner}", provider: openai, runner: "${runner}" }) { __typename } }`;
  expect((await post(graphql, query)).body.data?.startJob).toEqual({ __typename: 'StartJobSuccess' });
  const status = async () =>
    (await post(graphql, `{ job(runId: "${runner}") { status } }`)).body.data?.job as unknown;
  await expect.poll(status, WAIT).toEqual({ status: 'running' });
}

async function stop({ graphql }: Server, runId: string): Promise<void> {
  await post(graphql, `mutation { stopJob(input: { runId: "${runId}", graceMs: 0 }) { __typename } }`);
}

async function printed({ graphql }: Server): Promise<string> {
  let text = '';
  const logs = async () => {
    const { body } = await post(graphql, '{ job(runId: "spy") { logs(lines: 100) } }');
    text = (body.data?.job as unknown as { logs: string | null } | null)?.logs ?? '';
    return text;
  };
  await expect.poll(logs, WAIT).toContain('done');
  return text;
}

/** A bound for a busy machine, which starts each of these processes late. */
const TIMEOUT_MS = 90_000;

const isRoot = process.getuid?.() === 0;

describe.skipIf(!isRoot)('jobs as other users (needs root)', { timeout: TIMEOUT_MS }, () => {
  test('cannot read files of the server or of each other, and leave nothing behind', async () => {
    const server = await startServer(`${FIRST}-${LAST}`);
    await start(server, 'neighbour');
    await start(server, 'spy');
    const lines = (await printed(server)).trimEnd().split('\n');
    const uid = /^Uid: (\d+) \1 \1 \1$/.exec(lines[0] ?? '')?.[1];
    expect(Number(uid)).toBeGreaterThanOrEqual(FIRST);
    expect(lines.slice(1).map((line) => line.trimEnd())).toEqual([
      'Groups:',
      'umask 0022',
      'works at home',
      ...['key', 'runfeed.db', 'runfeed.db-wal', 'admin-token', 'environ', 'environ', 'spec.json', 'log'].map(
        (name) => `refused ${name}`,
      ),
      'done',
    ]);
    const [own = ''] = readdirSync(server.jobsFolder);
    const folder = join(server.jobsFolder, own);
    const works = jobNames(folder).map((name) => statSync(join(folder, name, 'work')));
    expect(new Set(works.map(({ uid }) => uid)).size).toBe(2);
    expect(works.map(({ mode }) => mode & 0o777)).toEqual([0o700, 0o700]);
    await stop(server, 'spy');
    // A process that wiped its environment and left its session is found by its user.
    await expect.poll(() => readdirSync('/proc').filter(isJobs).length, WAIT).toBe(1);
    await stop(server, 'neighbour');
  });

  test('of servers with other databases and folders have other uids, though both servers have one range', async () => {
    const servers = [await startServer(`${FIRST}-${LAST}`), await startServer(`${FIRST}-${LAST}`)];
    const uids = new Set<number>();
    for (const server of servers) {
      // The search for a free uid begins at a place that depends on the run only.
      await start(server, 'neighbour');
      const [own = ''] = readdirSync(server.jobsFolder);
      const folder = join(server.jobsFolder, own);
      for (const name of jobNames(folder)) uids.add(statSync(join(folder, name, 'work')).uid);
    }
    expect(uids.size).toBe(2);
    for (const server of servers) await stop(server, 'neighbour');
  });

  test('can all run as one user, given by name', async () => {
    const server = await startServer('nobody');
    await start(server, 'spy');
    const text = await printed(server);
    expect(text).toContain('refused runfeed.db\n');
    expect(text).not.toMatch(/^(read|listed) /m);
    await stop(server, 'spy');
  });
});

describe('jobs as the server’s own user', { timeout: TIMEOUT_MS }, () => {
  test('cause one warning, and the server’s secrets are redacted from their output', async () => {
    const secretKeys = randomBytes(32).toString('base64');
    const { env } = await installation();
    const server = await startServe({ ...env, SECRET_KEYS: secretKeys });
    await start(server, 'spy');
    const text = await printed(server);
    expect(text).toContain('read runfeed.db\n');
    expect(text).toContain(`SECRET_KEYS=${REDACTED}`);
    expect(text).not.toContain(secretKeys.slice(4, 24));
    await stop(server, 'spy');
    server.kill('SIGTERM');
    const { stderr } = await server.exit;
    expect(stderr.split('set JOBS_USER to run them as another user')).toHaveLength(2);
  });
});
