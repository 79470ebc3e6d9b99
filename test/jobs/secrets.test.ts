import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { REDACTED } from '../../src/jobs/redact.ts';
import { databaseFile } from '../../src/store/sqlite/open.ts';
import { describeStores } from '../support/databases.ts';
import { openEventStream } from '../support/event-stream.ts';
import { type FakeFly, startFakeFly } from '../support/fake-fly/server.ts';
import { freePort } from '../support/ports.ts';
import { programGuest } from '../support/program-guest.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { post } from '../support/request.ts';
import { startServe } from '../support/runfeed-process.ts';
import { execute } from '../support/sql.ts';
import { readEverythingOf } from './everything.ts';
import { processesIn } from './executors/machine.ts';
import { filesIn, leaksOf, type Place } from './leaks.ts';

const RUNNER = fileURLToPath(new URL('children/telling-runner.mjs', import.meta.url));
const IMAGE = `registry.example/runner@sha256:${'ab'.repeat(32)}`;
const WAIT = { timeout: 25_000, interval: 50 };

const PEM_LINE = randomBytes(24).toString('base64');

/** Odd characters, so that each way to write them is another one. */
const secret = (name: string) => `${name}-é<&>"\\ ?/+${randomBytes(9).toString('base64')}`;

/** What a runner was handed out, as it wrote it down. */
interface Claimed {
  readonly payload: unknown;
  readonly env: Readonly<Record<string, string>>;
  readonly environment: Readonly<Record<string, string>>;
  readonly claimToken: string;
  readonly token: string;
}

/** The secrets of one installation, and where each of them comes from. */
function makeSecrets() {
  return {
    configured: {
      API_KEY: secret('provider'),
      SIGNING_KEY: secret('runner'),
      PEM: `BEGIN\n${PEM_LINE}\nEND`,
    },
    payload: { prompt: secret('prompt'), content: secret('content') },
    keys: randomBytes(32).toString('base64'),
  };
}

type Secrets = ReturnType<typeof makeSecrets>;

/** A runners file without a secret in it: they come by the server's environment. */
function runnersFile(fly: FakeFly): string {
  const secrets = { SIGNING_KEY: '$SIGNING_KEY', PEM: '$PEM' };
  return JSON.stringify({
    runners: {
      local: { substrate: 'process', command: [process.execPath, RUNNER], secrets },
      remote: { substrate: 'fly', image: IMAGE, regions: ['ams'], secrets },
    },
    providers: { openai: { baseUrl: 'http://127.0.0.1:9/v1', key: '$API_KEY' } },
    substrates: { fly: { token: '$FLY_TOKEN', org: fly.world.org, pollMs: 250, ...fly.urls } },
  });
}

/** Fly's log of a machine that was told all this. */
function flyLogs(texts: readonly string[]): object {
  const lines = texts.flatMap((text) => [
    `whole: ${text}`,
    `base64: ${Buffer.from(`x${text}`).toString('base64')}`,
    `Error: 401: ${JSON.stringify({ key: text })}`,
  ]);
  const data = [...lines, 'all was told'].map((message, index) => ({
    attributes: { timestamp: new Date(index).toISOString(), message },
  }));
  return { data };
}

describeStores('the secrets of a job', (database) => {
  test('are handed out to the runner that claims it, and can be read nowhere else', async () => {
    const secrets = makeSecrets();
    const folder = mkdtempSync(join(tmpdir(), 'runfeed-secrets-'));
    const jobsFolder = join(folder, 'jobs');
    releaseAfterwards(() => {
      for (const pid of processesIn(folder)) process.kill(pid, 'SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    });
    const token = `fm2_${randomBytes(24).toString('hex')}`;
    const fly = await startFakeFly({
      token,
      guestOf: (machine) => programGuest(RUNNER, machine, folder),
    });
    releaseAfterwards(() => fly.close());
    writeFileSync(join(folder, 'runners.json'), runnersFile(fly));
    const databaseUrl = await database.freshUrl();
    const port = await freePort();
    const server = await startServe({
      ...secrets.configured,
      FLY_TOKEN: token,
      DATABASE_URL: databaseUrl,
      PORT: String(port),
      PUBLIC_URL: `http://127.0.0.1:${port}`,
      RUNNERS_FILE: join(folder, 'runners.json'),
      JOBS_FOLDER: jobsFolder,
      SECRET_KEYS: secrets.keys,
      LOG_LEVEL: 'trace',
    });

    const answers: Place[] = [];
    const ask = async (name: string, query: string, variables: object) => {
      const { body } = await post(server.graphql, query, variables);
      answers.push({ name: `the answer to ${name}`, content: JSON.stringify(body) });
      return body;
    };
    const select = await readEverythingOf(server.graphql);
    const start = (runId: string, runner: string, more: object = {}) =>
      ask(
        `starting ${runId}`,
        `mutation ($input: StartJobInput!) { startJob(input: $input) ${select('StartJobResult')} }`,
        {
          input: { runId, provider: 'openai', runner, payload: payloadOf(secrets), ...more },
        },
      );

    expect((await start('local', 'local')).errors).toBeUndefined();
    expect((await start('remote', 'remote')).errors).toBeUndefined();
    const claims = [await claimed(join(jobsFolder), 'local'), await claimed(folder, 'remote')];
    for (const { env, payload } of claims) {
      const { API_KEY, ...own } = secrets.configured;
      expect(env).toEqual({ ...own, OPENAI_API_KEY: API_KEY });
      expect(payload).toEqual(payloadOf(secrets));
    }
    expect(claims[0]!.environment).toMatchObject({ SIGNING_KEY: secrets.configured.SIGNING_KEY });
    expect(claims[1]!.environment).not.toHaveProperty('SIGNING_KEY');

    const updates = await openEventStream(
      server.graphql,
      `subscription { jobUpdated(runId: "local") ${select('RunnerJob')} }`,
    );
    // Whoever refuses a request may repeat it, and more than was in it.
    const all = [...Object.values(secrets.configured), ...Object.values(secrets.payload)];
    fly.fail('createMachine', {
      kind: 'answer',
      answer: ({ body }) => ({
        status: 422,
        body: { error: `invalid config ${JSON.stringify(body)}, not ${all.join(' or ')}` },
      }),
    });
    await start('echoed', 'remote');
    await start('local', 'remote');
    await start('refused', 'local', { region: secrets.payload.prompt, runner: secrets.payload.content });
    const look = async (when: string) => {
      const logs = [
        ...claims.map(({ claimToken }) => claimToken),
        ...claims.map((claim) => claim.token),
        ...all,
      ];
      fly.fail('logs', { kind: 'answer', answer: { status: 200, body: flyLogs(logs) } }, 100);
      for (const runId of ['local', 'remote', 'echoed']) {
        const query = `query ($id: ID!) { run(id: $id) ${select('Run')} job(runId: $id) ${select('RunnerJob')} }`;
        const body = await ask(`everything of ${runId} ${when}`, query, { id: runId });
        expect(body.errors).toBeUndefined();
      }
      for (let lines = 1; lines < 40; lines += 1) {
        await ask(
          `the last ${lines} lines ${when}`,
          'query ($lines: Int) { job(runId: "local") { logs(lines: $lines) } }',
          { lines },
        );
      }
      await ask(
        `all runs ${when}`,
        `{ runs(first: 10) ${select('RunConnection')} jobs(first: 10) ${select('RunnerJobConnection')} }`,
        {},
      );
    };
    await expect
      .poll(
        async () => JSON.stringify(await ask('the refused job', '{ job(runId: "echoed") { status } }', {})),
        WAIT,
      )
      .toContain('failed');
    await look('while it runs');
    for (const runId of ['local', 'remote']) {
      await ask(
        'stopping',
        `mutation ($id: ID!) { stopJob(input: { runId: $id, graceMs: 0 }) ${select('StopJobResult')} }`,
        { id: runId },
      );
      await expect
        .poll(
          async () =>
            JSON.stringify(
              await ask('the end', 'query ($id: ID!) { job(runId: $id) { status } }', { id: runId }),
            ),
          WAIT,
        )
        .toContain('terminated');
    }
    await look('when it has ended');
    const told = answers.filter(
      ({ content }) => content.includes('all was told') && content.includes(REDACTED),
    );
    expect(told.length).toBeGreaterThan(0);

    const printed = filesIn(jobsFolder, (path) => basename(path) === 'log');
    expect(leaksOf({ prompt: secrets.payload.prompt }, printed)).not.toEqual([]);
    const stored = await storedIn(databaseUrl);
    server.kill('SIGTERM');
    const { stdout, stderr } = await server.exit;
    expect(stderr).toContain('a step of a job failed');
    const places: Place[] = [
      ...answers,
      ...stored,
      { name: 'updates', content: await updates.rest().then(() => updates.text()) },
      { name: 'standard output', content: stdout },
      { name: 'the log', content: stderr },
      // What a runner prints lies in its log as it printed it, for the owner of the machine; `work` is the runner's own.
      ...filesIn(jobsFolder, (path) => !/^log/.test(basename(path)) && basename(dirname(path)) !== 'work'),
    ];
    const [local, remote] = claims as [Claimed, Claimed];
    // Whoever asks for a few lines gets a part of a secret that has more.
    const jobsOwn = { ...secrets.configured, ...secrets.payload, 'a line of PEM': PEM_LINE };
    const tokens = {
      'a claim token': local.claimToken,
      'another claim token': remote.claimToken,
      'an event token': local.token,
      'another event token': remote.token,
    };
    const serversOwn = { 'the token for Fly': token, 'the key': secrets.keys };
    expect(leaksOf({ ...jobsOwn, ...tokens, ...serversOwn }, places)).toEqual([]);
    const machines = JSON.stringify(fly.world.machines.map(({ config }) => config));
    const requests = JSON.stringify(fly.requests.map(({ url, body }) => ({ url, body })));
    expect(machines).toContain(remote.claimToken);
    expect(
      leaksOf({ ...jobsOwn, 'an event token': remote.token, ...serversOwn }, [
        { name: 'machines', content: machines },
        { name: 'requests', content: requests },
      ]),
    ).toEqual([]);
  }, 60_000);
});

function payloadOf({ payload: { prompt, content } }: Secrets): object {
  return {
    prompt,
    files: [{ name: 'a.txt', content }],
    mcpServers: { one: { headers: { authorization: content } } },
  };
}

/** What a runner of a run has written down somewhere in this folder, once it has. */
async function claimed(folder: string, runId: string): Promise<Claimed> {
  const find = () =>
    existsSync(folder) ? filesIn(folder, (path) => basename(path) === `claimed-${runId}.json`) : [];
  await expect.poll(find, WAIT).toHaveLength(1);
  return JSON.parse(String(find()[0]!.content)) as Claimed;
}

/** All that the database holds: the files of SQLite with what is not yet moved to its main one, or every table's rows. */
async function storedIn(databaseUrl: string): Promise<Place[]> {
  if (databaseUrl.startsWith('file:')) {
    const file = databaseFile(databaseUrl);
    expect(existsSync(`${file}-wal`)).toBe(true);
    return filesIn(dirname(file), (path) => path.startsWith(file));
  }
  const tables = await execute(
    databaseUrl,
    `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'`,
  );
  const places = tables.map(async ({ table_name: name }) => {
    const rows = await execute(databaseUrl, `SELECT row_to_json(t) AS row FROM "${name}" t`);
    return { name: `table ${name}`, content: JSON.stringify(rows) };
  });
  return Promise.all(places);
}
