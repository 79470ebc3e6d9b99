import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { databaseFile } from '../../src/config/data-folder.ts';
import { startRestartableServer } from '../proofs/restartable-server.ts';
import { begins, says } from '../runtimes/messages-frames.ts';
import { describePostgres, freshSqliteUrl } from '../support/databases.ts';
import { sse, startFakeAnthropic } from '../support/fake-anthropic.ts';
import { startServe } from '../support/runfeed-process.ts';
import { eventually } from '../support/runs.ts';
import {
  API_KEY,
  contentOf,
  countOf,
  endedEventsOf,
  eventsOf,
  nativeEnvironment,
  sentOf,
  startFollowing,
  startNative,
} from './native.ts';
import { adapted, TURN } from './turn.ts';

const REQUEST = { model: 'm', messages: [{ role: 'user', content: 'a secret question' }] };

test('a server that is stopped anywhere in a session resumes it as if it had not stopped', async () => {
  const provider = await startFakeAnthropic();
  const sessions = TURN.map((_, told) => ({ told, session: provider.session(`after-${told}`) }));
  const DATABASE_URL = await freshSqliteUrl();
  const first = await startFollowing(provider.url, { DATABASE_URL });
  for (const { told, session } of sessions) {
    await startNative(first.graphql, { runId: session.id, sessionId: session.id });
    await eventually(() => session.streams().open === 1);
    session.emit(...TURN.slice(0, told));
    const made = adapted(TURN.slice(0, told)).length - 1;
    if (told > 0) await eventually(async () => (await eventsOf(first.graphql, session.id)).length === made);
  }
  await first.close();
  for (const { told, session } of sessions) {
    await eventually(() => session.streams().open === 0);
    // Half of the sessions continue while no server follows them.
    if (told % 2 === 0) session.miss(...TURN.slice(told, told + 2));
  }
  const second = await startFollowing(provider.url, { DATABASE_URL });
  for (const { told, session } of sessions) {
    await eventually(() => session.streams().opened === 2);
    session.emit(...TURN.slice(told % 2 === 0 ? told + 2 : told));
    const events = await endedEventsOf(second.graphql, session.id);
    expect(contentOf(events)).toEqual(contentOf(adapted(TURN, { id: session.id })));
    expect(session.received).toEqual([]);
  }
  await second.close();
}, 60_000);

test('a server that is stopped in the middle of a response ends its run', async () => {
  const provider = await startFakeAnthropic();
  provider.answer({ kind: 'stream', bytes: sse(begins(), says('h')), after: 'stall' });
  const DATABASE_URL = await freshSqliteUrl();
  const first = await startFollowing(provider.url, { DATABASE_URL });
  await startNative(first.graphql, { runId: 'r', request: REQUEST });
  await eventually(async () => (await eventsOf(first.graphql, 'r')).length === 2);
  await first.close();
  const second = await startFollowing(provider.url, { DATABASE_URL });
  const events = await endedEventsOf(second.graphql, 'r');
  expect(await startNative(second.graphql, { runId: 'r', request: REQUEST })).toMatchObject({
    started: false,
  });
  await second.close();
  expect(events.at(-1)?.data).toMatchObject({ outcome: 'failed', reason: 'server_restarted' });
  expect(provider.requests).toHaveLength(1);
});

test('a killed server resumes its sessions, ends its requests, and never reveals the API key', async () => {
  const provider = await startFakeAnthropic();
  const session = provider.session('s1');
  provider.answer({ kind: 'stream', bytes: sse(begins(), says('h')), after: 'stall' });
  const databaseUrl = await freshSqliteUrl();
  const server = await startRestartableServer(databaseUrl, nativeEnvironment(provider.url));
  await startNative(server.graphql, { runId: 's1', sessionId: 's1' });
  await startNative(server.graphql, { runId: 'r', request: REQUEST });
  await eventually(() => session.streams().open === 1);
  for (const [at, each] of TURN.entries()) {
    if (at === 4) {
      await eventually(async () => (await eventsOf(server.graphql, 's1')).length >= 3);
      await server.kill();
    }
    if (at === 7) await server.start();
    session.emit(each);
  }
  const events = await endedEventsOf(server.graphql, 's1', 40_000);
  expect(contentOf(sentOf(events))).toEqual(contentOf(adapted(TURN, { id: 's1' })));
  expect(countOf(events, 'runtime_terminal')).toBe(1);
  const cut = await endedEventsOf(server.graphql, 'r', 40_000);
  expect(cut.at(-1)?.data).toMatchObject({ outcome: 'failed', reason: 'server_restarted' });
  expect(countOf(cut, 'runtime_terminal')).toBe(1);
  expect(provider.requests.filter(({ method }) => method === 'POST')).toHaveLength(1);
  await server.kill();
  const folder = dirname(databaseFile(databaseUrl));
  const kept = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  expect(kept.length).toBeGreaterThan(0);
  for (const { parentPath, name } of kept) {
    const bytes = readFileSync(join(parentPath, name));
    expect(bytes.includes(API_KEY), name).toBe(false);
    expect(bytes.includes('a secret question'), name).toBe(false);
  }
}, 90_000);

test('a server whose provider repeats the API key writes it nowhere', async () => {
  const provider = await startFakeAnthropic();
  const body = { error: { type: 'invalid_request_error', message: `no: ${API_KEY}` }, request_id: API_KEY };
  provider.answer({ kind: 'refuse', status: 400, body });
  const server = await startServe({ ...nativeEnvironment(provider.url), LOG_LEVEL: 'trace' });
  const started = await startNative(server.graphql, { runId: 'r', request: REQUEST });
  const events = await endedEventsOf(server.graphql, 'r');
  expect(events.at(-1)?.data).toMatchObject({ reason: 'invalid_request_error', status: 400 });
  server.kill('SIGTERM');
  const { stdout, stderr } = await server.exit;
  expect([JSON.stringify([started, events]), stdout, stderr].join('\n')).not.toContain(API_KEY);
});

describePostgres('of two servers on one Postgres', ({ freshUrl }) => {
  test('one follows a session, and the other takes over when it is killed', async () => {
    const provider = await startFakeAnthropic();
    const session = provider.session('s1');
    const env = {
      ...nativeEnvironment(provider.url),
      DATABASE_URL: await freshUrl(),
      SECRET_KEYS: Buffer.alloc(32, 7).toString('base64'),
    };
    const one = await startServe(env);
    const other = await startServe(env);
    await startNative(one.graphql, { runId: 's1', sessionId: 's1' });
    expect(await startNative(other.graphql, { runId: 's1', sessionId: 's1' })).toMatchObject({
      started: false,
    });
    await eventually(() => session.streams().open === 1);
    session.emit(...TURN.slice(0, 4));
    await eventually(async () => (await eventsOf(other.graphql, 's1')).length >= 4);
    expect(session.streams().opened).toBe(1);
    one.kill('SIGKILL');
    await one.exit;
    session.miss(...TURN.slice(4, 7));
    await eventually(() => session.streams().open === 1, 40_000);
    session.emit(...TURN.slice(7));
    const events = await endedEventsOf(other.graphql, 's1');
    expect(contentOf(sentOf(events))).toEqual(contentOf(adapted(TURN, { id: 's1' })));
    expect(countOf(events, 'runtime_terminal')).toBe(1);
  }, 90_000);
});
