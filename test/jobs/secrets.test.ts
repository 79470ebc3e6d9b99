import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { REDACTED } from '../../src/lib/secrets/redact.ts';
import { describeStores } from '../support/databases.ts';
import { openEventStream } from '../support/event-stream.ts';
import type { FakeFly } from '../support/fake-fly/server.ts';
import { type Answer, post } from '../support/request.ts';
import { readEverythingOf } from './everything.ts';
import { leaksOf, type Place } from './leaks.ts';
import { oddSecret, startTellingInstallation, WAIT } from './telling-installation.ts';

const MOST_LINES = 40;

describeStores('the secrets of a job', (database) => {
  test('are given to the runner that claims it, and can be read nowhere else', async () => {
    const installation = await startTellingInstallation(await database.freshUrl());
    const { fly, server, secrets, ownSecrets } = installation;
    const key = randomBytes(24).toString('base64');
    const prompt = `Log in with ${key}, and say "done".`;
    const content = oddSecret('content');
    const headers = { authorization: content };
    const payload = { prompt, files: [{ name: 'a.txt', content }], mcpServers: { one: { headers } } };
    const api = await openApi(installation.graphql);

    await api.start({ runId: 'local', runner: 'local', payload });
    await api.start({ runId: 'remote', runner: 'remote', payload });
    const [local, remote] = await Promise.all(['local', 'remote'].map(installation.claimed));
    if (!local || !remote) throw new Error('a runner recorded no claim');
    const { API_KEY, ...own } = secrets;
    for (const claimed of [local, remote]) {
      expect(claimed).toMatchObject({ env: { ...own, OPENAI_API_KEY: API_KEY }, payload });
    }
    expect(local.environment).toMatchObject({ SIGNING_KEY: own.SIGNING_KEY });
    expect(remote.environment).not.toHaveProperty('SIGNING_KEY');

    const updates = await api.follow('local');
    const ofJobs = { ...secrets, key, content, lineOfPem: secrets.PEM.split('\n')[1]! };
    const ofLocal = { ...ofJobs, claimToken: local.claimToken, eventToken: local.token };
    const ofRunners = { ...ofLocal, flyClaimToken: remote.claimToken, flyEventToken: remote.token };
    const all = { ...ofRunners, ...ownSecrets };
    echoNextCreate(fly, Object.values(ofJobs));
    await api.start({ runId: 'echoed', runner: 'remote', payload });
    await api.start({ runId: 'local', runner: 'remote', payload });
    await api.start({ runId: 'refused', runner: content, region: prompt, payload });
    await api.reaches('echoed', 'failed');
    printOnFly(fly, Object.values(ofRunners));
    await api.look('while it runs');
    for (const runId of ['local', 'remote']) await api.stop(runId);
    for (const runId of ['local', 'remote']) await api.reaches(runId, 'terminated');
    await api.look('when it has ended');
    const tails = api.answers.filter((answer) => answer.content.includes('all was printed'));
    expect(tails.length).toBeGreaterThan(0);
    for (const tail of tails.filter(({ name }) => name.startsWith('everything'))) {
      expect(tail.content).toContain(REDACTED);
    }

    const stored = await installation.stored();
    await updates.rest();
    server.kill('SIGTERM');
    const { stdout, stderr } = await server.exit;
    expect(stderr).toContain('a step of a job failed');
    const places: Place[] = [
      ...api.answers,
      ...stored,
      ...installation.jobFiles(),
      { name: 'updates', content: updates.text() },
      { name: 'standard output', content: stdout },
      { name: 'the log', content: stderr },
    ];
    expect(leaksOf(all, places)).toEqual([]);
    // The claim token is the only secret that a machine is started with.
    const machines = JSON.stringify(fly.world.machines.map(({ config }) => config));
    expect(machines).toContain(all.flyClaimToken);
    const requests = JSON.stringify(fly.requests.map(({ url, body }) => ({ url, body })));
    const atFly = [
      { name: 'machines', content: machines },
      { name: 'requests', content: requests },
    ];
    const { flyClaimToken, ...others } = all;
    expect(leaksOf(others, atFly)).toEqual([]);
    // The search works: it finds all secrets where they are printed.
    const found = leaksOf(ofLocal, installation.printed()).map((leak) => leak.split(' ', 1)[0]!);
    expect(new Set(found)).toEqual(new Set(Object.keys(ofLocal)));
  }, 60_000);
});

/** Makes the next create fail with an error that repeats the request and more. */
function echoNextCreate(fly: FakeFly, texts: readonly string[]): void {
  fly.fail('createMachine', {
    kind: 'answer',
    answer: ({ body }) => ({
      status: 422,
      body: { error: `invalid config ${JSON.stringify(body)}, not ${texts.join(' or ')}` },
    }),
  });
}

/** Makes Fly's logs contain all these texts. */
function printOnFly(fly: FakeFly, texts: readonly string[]): void {
  const lines = texts.flatMap((text) => [
    `whole: ${text}`,
    `base64: ${Buffer.from(`x${text}`).toString('base64')}`,
    `Error: 401: ${JSON.stringify({ key: text })}`,
  ]);
  const data = [...lines, 'all was printed'].map((message, index) => ({
    attributes: { timestamp: new Date(index).toISOString(), message },
  }));
  fly.fail('logs', { kind: 'answer', answer: { status: 200, body: { data } } }, 1_000);
}

/** Opens the server's API, and records all its answers. */
async function openApi(graphql: string) {
  const answers: { readonly name: string; readonly content: string }[] = [];
  const select = await readEverythingOf(graphql);

  async function ask(name: string, query: string, variables: object = {}): Promise<Answer> {
    const { body } = await post(graphql, query, variables);
    answers.push({ name, content: JSON.stringify(body) });
    return body;
  }

  return {
    answers,
    start: (input: { readonly runId: string; readonly runner: string } & Record<string, unknown>) =>
      ask(
        `the start of ${input.runId}`,
        `mutation ($input: StartJobInput!) { startJob(input: $input) ${select('StartJobResult')} }`,
        { input: { provider: 'openai', ...input } },
      ),
    stop: (id: string) =>
      ask(
        `the stop of ${id}`,
        `mutation ($id: ID!) { stopJob(input: { runId: $id, graceMs: 0 }) ${select('StopJobResult')} }`,
        { id },
      ),
    follow: (id: string) =>
      openEventStream(graphql, `subscription ($id: ID!) { jobUpdated(runId: $id) ${select('RunnerJob')} }`, {
        id,
      }),
    reaches: async (id: string, status: string) => {
      const query = 'query ($id: ID!) { job(runId: $id) { status } }';
      await expect
        .poll(() => ask(`the status of ${id}`, query, { id }), WAIT)
        .toEqual({
          data: { job: { status } },
        });
    },
    look: async (when: string) => {
      const one = [`run(id: $id) ${select('Run')}`, `job(runId: $id) ${select('RunnerJob')}`];
      for (const id of ['local', 'remote', 'echoed']) {
        for (const fields of one) {
          const query = `query ($id: ID!) { ${fields} }`;
          expect((await ask(`everything of ${id} ${when}`, query, { id })).errors).toBeUndefined();
        }
      }
      // More than two of them would exceed the price limit of an operation.
      const lists = ['first: 2', 'last: 2'].flatMap((page) => [
        `runs(${page}) ${select('RunConnection')}`,
        `jobs(${page}) ${select('RunnerJobConnection')}`,
      ]);
      for (const fields of [...lists, `server ${select('ServerInfo')}`]) {
        expect((await ask(`all of a list ${when}`, `{ ${fields} }`)).errors).toBeUndefined();
      }
      // The first of these lines may begin within a secret.
      for (let lines = 1; lines <= MOST_LINES; lines += 1) {
        const tail = 'query ($lines: Int) { job(runId: "local") { logs(lines: $lines) } }';
        await ask(`the last ${lines} lines ${when}`, tail, { lines });
      }
    },
  };
}
