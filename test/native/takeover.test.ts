import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { createAnthropicSessionsAdapter } from '../../src/runtimes/anthropic-sessions.ts';
import { databaseFile } from '../../src/store/sqlite/open.ts';
import { startRestartableServer } from '../proofs/restartable-server.ts';
import { begins, says } from '../runtimes/messages-frames.ts';
import { asks, event, idle, message, returns, running } from '../runtimes/sessions-frames.ts';
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

const EVENTS = [
  running(),
  event('span.model_request_end', { model_usage: { input_tokens: 3, output_tokens: 4 } }),
  asks('tool_1', 'bash'),
  asks('tool_2', 'bash'),
  returns('tool_1', 'a file'),
  message('m1', 'one', 'two'),
  event('span.model_request_end', { model_usage: { input_tokens: 5, output_tokens: 6 } }),
  message('m2', 'done'),
  idle('end_turn'),
].map((each, index) => ({ id: `sevt_${index}`, ...each }));

function adapted(id: string) {
  const adapter = createAnthropicSessionsAdapter({ session: { id } });
  return contentOf([...adapter.push(sse(...EVENTS)), ...adapter.end()]);
}

const REQUEST = { model: 'm', messages: [{ role: 'user', content: 'a secret question' }] };

test('a server that is stopped and started again goes on with a session as if nothing had been', async () => {
  const provider = await startFakeAnthropic();
  const session = provider.session('s1');
  const DATABASE_URL = await freshSqliteUrl();
  const first = await startFollowing(provider.url, { DATABASE_URL });
  await startNative(first.graphql, { runId: 's1', sessionId: 's1' });
  await eventually(() => session.streams().open === 1);
  session.emit(...EVENTS.slice(0, 6));
  await eventually(async () => (await eventsOf(first.graphql, 's1')).length >= 7);
  await first.close();
  expect(session.streams().open).toBe(0);
  session.miss(...EVENTS.slice(6, 8));
  const second = await startFollowing(provider.url, { DATABASE_URL });
  await eventually(() => session.streams().open === 1);
  session.emit(...EVENTS.slice(8));
  const events = await endedEventsOf(second.graphql, 's1');
  await second.close();
  expect(contentOf(events)).toEqual(adapted('s1'));
  expect(session.received).toEqual([]);
});

test('a server that is stopped in the middle of an answer ends its run', async () => {
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

test('a server that is killed goes on with its sessions, ends its requests, and has told nobody the key', async () => {
  const provider = await startFakeAnthropic();
  const session = provider.session('s1');
  provider.answer({ kind: 'stream', bytes: sse(begins(), says('h')), after: 'stall' });
  const databaseUrl = await freshSqliteUrl();
  const server = await startRestartableServer(databaseUrl, nativeEnvironment(provider.url));
  await startNative(server.graphql, { runId: 's1', sessionId: 's1' });
  await startNative(server.graphql, { runId: 'r', request: REQUEST });
  await eventually(() => session.streams().open === 1);
  for (const [at, each] of EVENTS.entries()) {
    if (at === 4) {
      await eventually(async () => (await eventsOf(server.graphql, 's1')).length >= 3);
      await server.kill();
    }
    if (at === 7) await server.start();
    session.emit(each);
  }
  const events = await endedEventsOf(server.graphql, 's1', 40_000);
  expect(contentOf(sentOf(events))).toEqual(adapted('s1'));
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

test('a server that the provider tells its own key writes it nowhere', async () => {
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
  test('one follows a session, and when it is killed the other goes on', async () => {
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
    session.emit(...EVENTS.slice(0, 4));
    await eventually(async () => (await eventsOf(other.graphql, 's1')).length >= 4);
    expect(session.streams().opened).toBe(1);
    one.kill('SIGKILL');
    await one.exit;
    session.miss(...EVENTS.slice(4, 7));
    await eventually(() => session.streams().open === 1, 40_000);
    session.emit(...EVENTS.slice(7));
    const events = await endedEventsOf(other.graphql, 's1');
    expect(contentOf(sentOf(events))).toEqual(adapted('s1'));
    expect(countOf(events, 'runtime_terminal')).toBe(1);
  }, 90_000);
});
