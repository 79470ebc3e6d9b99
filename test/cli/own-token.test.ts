import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { openOwnServer } from '../../src/cli/own-server.ts';
import { streamEvents } from '../../src/client/stream/events.ts';
import { databaseFile } from '../../src/config/data-folder.ts';
import { type Eavesdropper, startEavesdropper } from '../support/eavesdropper.ts';
import { fixedPort } from '../support/ports.ts';
import { CREATE_RUN, INGEST, post } from '../support/request.ts';
import { runRunfeed, type ServeProcess, startRunfeed, startServe } from '../support/runfeed-process.ts';
import { freshFolder, GOOSE_COMPLETE, gooseText, writeProgram } from '../support/scripts.ts';

const PUBLIC_URL = 'https://runs.example.org';

/** Every command that queries a server. */
const COMMANDS = [
  ['runs'],
  ['tail', 'r'],
  ['logs', 'r'],
  ['stop', 'r'],
  ['pipe', '--run', 'r', '--', 'true'],
];

let server: ServeProcess;
let token: string;

const tokenOf = async ({ databaseUrl }: ServeProcess): Promise<string> =>
  (await readFile(join(dirname(databaseFile(databaseUrl)), 'admin-token'), 'utf8')).trim();

const ended = [
  { seq: 0, tMs: 1, kind: 'assistant_text', data: { text: 'over' } },
  { seq: 1, tMs: 2, kind: 'runtime_terminal', data: { outcome: 'completed' } },
] as const;

/** Runs a command against the relay, which gets a request but not the token. */
async function expectNoToken(relay: Eavesdropper): Promise<void> {
  const { code, stderr } = await runRunfeed(['runs'], {
    DATABASE_URL: server.databaseUrl,
    RUNFEED_URL: relay.url,
  });
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('does not prove') });
  expect(relay.heard()).toContain('HTTP/1.1');
  expect(relay.heard()).not.toContain(token);
}

async function createRun(server: ServeProcess, id: string, events: readonly object[]): Promise<void> {
  const { graphql } = server;
  const headers = { authorization: `Bearer ${await tokenOf(server)}` };
  await post(graphql, CREATE_RUN, { id }, headers);
  if (events.length > 0) await post(graphql, INGEST, { b: { v: 1, runId: id, events } }, headers);
}

beforeAll(async () => {
  server = await startServe({ PUBLIC_URL });
  token = await tokenOf(server);
});

describe('the admin token of the own server', () => {
  test.each(COMMANDS)('is not sent to another program on the server’s port by %s %s', async (...args) => {
    const squatter = await startEavesdropper();
    const { code, stdout, stderr } = await runRunfeed(args.filter(Boolean), {
      DATABASE_URL: server.databaseUrl,
      RUNFEED_URL: squatter.url,
    });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^runfeed: .*does not prove that it has the admin token.*RUNFEED_TOKEN.*\n$/);
    expect(squatter.heard()).toContain('HTTP/1.1');
    expect(squatter.heard()).not.toContain(token);
  });

  test('is not sent to a relay to the server on another port', async () => {
    const relay = await startEavesdropper({ relayTo: server.url });
    await expectNoToken(relay);
  });

  // Elsewhere only 127.0.0.1 is configured.
  test.skipIf(process.platform !== 'linux')(
    'is not sent to a relay on the same port of another loopback address (skipped: there is one address)',
    async () => {
      const port = Number(new URL(server.url).port);
      const relay = await startEavesdropper({ host: '127.0.0.2', port, relayTo: server.url });
      await expectNoToken(relay);
    },
  );

  test('is not sent to a program that takes the port while the server restarts and a command reconnects', async () => {
    const PORT = String(await fixedPort());
    const first = await startServe({ PUBLIC_URL, PORT });
    const ownToken = await tokenOf(first);
    await createRun(first, 'r', [{ seq: 0, tMs: 0, kind: 'assistant_text', data: { text: 'begun ' } }]);
    const env = { DATABASE_URL: first.databaseUrl, RUNFEED_URL: first.url };
    const tail = startRunfeed(['tail', 'r'], env);
    await tail.printed(/begun /);
    first.kill('SIGTERM');
    await first.exit;
    const squatter = await startEavesdropper({ port: Number(PORT) });
    await squatter.hears(/HTTP\/1\.1/);
    await squatter.close();
    expect(squatter.heard()).not.toContain(ownToken);
    const second = await startServe({ PUBLIC_URL, PORT, DATABASE_URL: first.databaseUrl });
    await createRun(second, 'r', [
      { ...ended[0], seq: 1 },
      { ...ended[1], seq: 2 },
    ]);
    expect(await tail.exit).toMatchObject({ code: 0, stdout: 'begun over\n■ completed 0.0s\n' });
  });

  test('is used by every command for the server that has it', async () => {
    const env = { DATABASE_URL: server.databaseUrl, RUNFEED_URL: server.url, TMPDIR: await freshFolder() };
    const goose = await writeProgram(
      'goose',
      `process.stdout.write(${JSON.stringify(gooseText('hi') + GOOSE_COMPLETE)})`,
    );
    const piped = await runRunfeed(['pipe', '--run', 'piped', '--', goose], env);
    expect(piped).toMatchObject({ code: 0, stderr: '' });
    expect(await runRunfeed(['tail', 'piped'], env)).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringContaining('hi\n'),
    });
    expect((await runRunfeed(['runs'], env)).stdout).toMatch(/\npiped +completed /);
    for (const command of ['logs', 'stop']) {
      expect((await runRunfeed([command, 'piped'], env)).stderr).toContain('run piped has no job');
    }
    const byName = { ...env, RUNFEED_URL: `http://localhost:${new URL(server.url).port}` };
    expect(await runRunfeed(['runs'], byName)).toMatchObject({ code: 0, stderr: '' });
  });

  test.each(['sse', 'websocket'] as const)('is used for a stream over %s', async (transport) => {
    await createRun(server, transport, ended);
    const { fetchImpl, webSocketImpl } = openOwnServer(server.graphql, token, 'the file');
    const seen: number[] = [];
    const options = { url: server.graphql, transport, fetchImpl, webSocketImpl };
    for await (const { seq } of streamEvents(transport, options)) seen.push(seq);
    expect(seen).toEqual([0, 1]);
  });

  test('is sent to whatever server the user names together with it', async () => {
    const stranger = await startEavesdropper();
    await runRunfeed(['runs', '--token', token], { RUNFEED_URL: stranger.url });
    expect(stranger.heard()).toContain(`Bearer ${token}`);
  });
});

describe('a server with an admin token', () => {
  const CHALLENGE = 'a'.repeat(43);
  const proofFor = async (headers: Readonly<Record<string, string>>, url = server.graphql) => {
    const response = await fetch(url, { headers });
    await response.body?.cancel();
    return [response.status, response.headers.get('runfeed-proof')];
  };

  test('proves in a 401 answer that it knows the token, with a new proof for each challenge', async () => {
    const [status, proof] = await proofFor({ 'runfeed-challenge': CHALLENGE });
    expect([status, proof]).toEqual([401, expect.stringMatching(/^[\w-]{43}$/)]);
    expect(await proofFor({ 'runfeed-challenge': CHALLENGE })).toEqual([401, proof]);
    expect(await proofFor({ 'runfeed-challenge': `${CHALLENGE}b` })).not.toEqual([401, proof]);
  });

  test.each(['', 'short', 'a'.repeat(129), `${CHALLENGE} ${CHALLENGE}`, `${CHALLENGE}, x`])(
    'answers as without a challenge if the challenge is invalid: %s',
    async (challenge) => {
      expect(await proofFor({ 'runfeed-challenge': challenge })).toEqual([401, null]);
      expect(await proofFor({})).toEqual([401, null]);
    },
  );
});
