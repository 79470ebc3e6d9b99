import { expect, test } from 'vitest';
import { createAnthropicMessagesAdapter } from '../../src/runtimes/anthropic/messages.ts';
import { bytesOf, capturesOf, capturesPresent } from '../runtimes/captures.ts';
import { asks, begins, block, SKILL, says, stops } from '../runtimes/messages-frames.ts';
import { errorBody, type Plan, sse, startFakeAnthropic } from '../support/fake-anthropic.ts';
import { resultOf } from '../support/operations.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { post } from '../support/request.ts';
import { eventsFrom, eventually, ingest } from '../support/runs.ts';
import { startTestServer } from '../support/server.ts';
import {
  API_KEY,
  contentOf,
  countOf,
  endedEventsOf,
  eventsOf,
  sentOf,
  startFollowing,
  startNative,
} from './native.ts';

const REQUEST = { model: 'm', max_tokens: 10, messages: [{ role: 'user', content: 'hi' }] };
const ANSWER = sse(
  begins(),
  ...block(0, { type: 'text', text: '' }),
  says('Grüße 👋🏽'),
  ...stops('end_turn'),
);

/** Returns what the adapter makes of these bytes if it gets them directly. */
function adapted(bytes: Uint8Array, request: unknown = REQUEST) {
  const adapter = createAnthropicMessagesAdapter({ singleRequest: true });
  adapter.request(request);
  return [...adapter.push(bytes), ...adapter.end()];
}

async function following(more?: Readonly<Record<string, string>>) {
  const provider = await startFakeAnthropic();
  const server = await startFollowing(provider.url, more);
  releaseAfterwards(() => server.close());
  let runs = 0;
  const run = async (...plans: readonly Plan[]) => {
    provider.answer(...plans);
    runs += 1;
    const runId = `run-${runs}`;
    expect(await startNative(server.graphql, { runId, request: REQUEST })).toMatchObject({ started: true });
    return endedEventsOf(server.graphql, runId);
  };
  return { provider, server, run };
}

test.skipIf(!capturesPresent)(
  'a recorded response gives the events of its adapter (skipped: the recordings are missing)',
  async () => {
    const { run } = await following();
    for (const capture of capturesOf('anthropic-messages')) {
      const bytes = bytesOf(capture);
      const events = await run({ kind: 'stream', bytes, chunkBytes: 997 });
      const [told, made] = [contentOf(events), contentOf(adapted(bytes))];
      // Bytes after the first message_stop belong to another request. A response without one was cut.
      const isWhole = bytes.toString().split('event: message_stop').length === 2;
      if (isWhole) expect(told, capture.file).toEqual(made);
      else expect(told.slice(0, -1), capture.file).toEqual(made.slice(0, told.length - 1));
      expect(countOf(events, 'runtime_terminal')).toBe(1);
      expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index));
    }
  },
  120_000,
);

test('a response that arrives byte by byte gives the same events as one that arrives at once', async () => {
  const { run, provider } = await following();
  const events = await run({ kind: 'stream', bytes: ANSWER, chunkBytes: 1 });
  expect(contentOf(events)).toEqual(contentOf(adapted(ANSWER)));
  expect(events.at(-1)?.data).toMatchObject({ outcome: 'completed', reason: 'end_turn' });
  expect(provider.requests).toMatchObject([
    {
      method: 'POST',
      path: '/v1/messages',
      body: { ...REQUEST, stream: true },
      headers: { 'x-api-key': API_KEY, 'anthropic-version': '2023-06-01', accept: 'text/event-stream' },
    },
  ]);
});

test('the run ends with message_stop, even if the connection stays open', async () => {
  const { run, provider } = await following();
  const events = await run({ kind: 'stream', bytes: ANSWER, after: 'stall' });
  expect(events.at(-1)?.data).toMatchObject({ outcome: 'completed' });
  await eventually(() => provider.openAnswers() === 0);
});

test('a response that stops for tools ends the run as completed', async () => {
  const { run } = await following();
  const bytes = sse(begins(), ...asks('t1', 'shell'), ...stops('tool_use'));
  const events = await run({ kind: 'stream', bytes });
  expect(events.at(-1)?.data).toMatchObject({ outcome: 'completed', reason: 'tool_use' });
});

test('what the request makes available is recorded once', async () => {
  const { provider, server } = await following();
  const bytes = sse(begins(), ...stops('end_turn', { container: { id: 'c', skills: [SKILL] } }));
  provider.answer({ kind: 'stream', bytes });
  const request = { ...REQUEST, container: { skills: [SKILL] } };
  await startNative(server.graphql, { runId: 'r', request });
  const events = await endedEventsOf(server.graphql, 'r');
  expect(countOf(events, 'skill_loaded')).toBe(1);
  expect(contentOf(events)).toEqual(contentOf(adapted(bytes, request)));
});

test('a response cut anywhere ends the run as truncated, with all events before the cut', async () => {
  const { run } = await following();
  for (let cut = 1; cut < ANSWER.length; cut += 37) {
    const bytes = ANSWER.subarray(0, cut);
    const events = await run({ kind: 'stream', bytes, after: 'cut' });
    const made = adapted(bytes);
    if (made.at(-1)?.data.reason !== 'stream_ended_early') continue;
    expect(contentOf(events.slice(0, -1))).toEqual(contentOf(made.slice(0, -1)));
    expect(events.at(-1)).toMatchObject({
      kind: 'runtime_terminal',
      data: { outcome: 'failed', reason: 'stream_truncated' },
    });
  }
}, 60_000);

test('a response that goes silent ends the run, and one with pings does not', async () => {
  const { run } = await following({ NATIVE_IDLE_MS: '400' });
  const stalled = await run({ kind: 'stream', bytes: sse(begins(), says('h')), after: 'stall' });
  expect(stalled.at(-1)?.data).toMatchObject({ outcome: 'failed', reason: 'idle_timeout' });
  const ping = sse({ type: 'ping' });
  const pinged = Buffer.concat([
    sse(begins()),
    ...Array.from({ length: 9 }, () => ping),
    sse(...stops('end_turn')),
  ]);
  const slow = await run({ kind: 'stream', bytes: pinged, chunkBytes: ping.length, pauseMs: 50 });
  expect(slow.at(-1)?.data).toMatchObject({ outcome: 'completed' });
});

test('a busy or unreachable provider is retried, which the log records', async () => {
  const { run, provider } = await following();
  const overloaded = errorBody('overloaded_error', 'Overloaded');
  const events = await run(
    {
      kind: 'refuse',
      status: 429,
      headers: { 'retry-after': '1' },
      body: errorBody('rate_limit_error', 'Slow'),
    },
    { kind: 'refuse', status: 529, body: overloaded },
    { kind: 'refuse', status: 502, body: '<html>' },
    { kind: 'hang up' },
    { kind: 'stream', bytes: new Uint8Array(), after: 'cut' },
    { kind: 'stream', bytes: ANSWER },
  );
  expect(provider.requests).toHaveLength(6);
  expect(events[0]).toMatchObject({
    kind: 'stream_error',
    sourceSeq: null,
    data: { errorType: 'rate_limit_error', retrying: true, attempt: 1, status: 429 },
  });
  // Not one per attempt.
  expect(countOf(events, 'stream_error')).toBeLessThan(5);
  expect(contentOf(sentOf(events))).toEqual(contentOf(adapted(ANSWER)));
});

test('a provider that stays busy ends the run with its last error', async () => {
  const { run } = await following({ NATIVE_PATIENCE_MS: '300' });
  const events = await run({
    kind: 'refuse',
    status: 529,
    body: errorBody('overloaded_error', 'Overloaded'),
  });
  expect(events.at(-1)).toMatchObject({
    kind: 'runtime_terminal',
    data: { outcome: 'failed', reason: 'overloaded_error', status: 529, errors: ['Overloaded'] },
  });
});

test('a refusal ends the run at once, and an API key in it is redacted', async () => {
  const { run, provider, server } = await following();
  const events = await run({
    kind: 'refuse',
    status: 401,
    body: errorBody('authentication_error', `invalid x-api-key: ${API_KEY}`),
  });
  expect(provider.requests).toHaveLength(1);
  expect(events).toMatchObject([
    { kind: 'runtime_terminal', data: { outcome: 'failed', reason: 'authentication_error', status: 401 } },
  ]);
  expect(JSON.stringify(events)).toContain('[redacted]');
  expect(JSON.stringify(await eventsOf(server.graphql, 'run-1'))).not.toContain(API_KEY);
});

test('a response that is not a stream and a redirect each end the run', async () => {
  const { run } = await following();
  const moved = { kind: 'refuse', status: 307, headers: { location: 'http://127.0.0.1:1/' } } as const;
  expect((await run(moved)).at(-1)?.data).toMatchObject({ outcome: 'failed', reason: 'http_307' });
  const odd = { kind: 'refuse', status: 200, body: { id: 'msg_1' } } as const;
  expect((await run(odd)).at(-1)?.data).toMatchObject({ outcome: 'failed', reason: 'not_a_stream' });
});

test('a run that takes too long is ended', async () => {
  const { run } = await following({ NATIVE_MAX_DURATION_MS: '500' });
  const events = await run({ kind: 'stream', bytes: sse(begins(), says('h')), after: 'stall' });
  expect(events.at(-1)?.data).toMatchObject({ outcome: 'limit', reason: 'max_duration_exceeded' });
});

test('repeating the input returns the existing run; another input or kind of run is refused', async () => {
  const { provider, server } = await following();
  const { graphql } = server;
  provider.answer({ kind: 'stream', bytes: sse(begins()), after: 'stall' });
  const input = { runId: 'r', title: 'T', labels: { a: 1 }, request: REQUEST };
  const [one, other] = await Promise.all([startNative(graphql, input), startNative(graphql, input)]);
  expect([one.started, other.started].sort()).toEqual([false, true]);
  const reordered = Object.fromEntries(Object.entries(REQUEST).reverse());
  expect(await startNative(graphql, { runId: 'r', request: reordered })).toMatchObject({ started: false });
  const conflict = { __typename: 'RunConflict', code: 'run_conflict' };
  expect(await startNative(graphql, { runId: 'r', request: { ...REQUEST, top_k: 1 } })).toMatchObject(
    conflict,
  );
  expect(await startNative(graphql, { runId: 'r', sessionId: 's' })).toMatchObject(conflict);
  const create = (id: string, runtime: string) =>
    post(
      graphql,
      `mutation { createRun(input: { id: "${id}", provider: anthropic, runtime: ${runtime} }) { __typename } }`,
    );
  await create('managed', 'managed');
  expect(await startNative(graphql, { runId: 'managed', request: REQUEST })).toMatchObject(conflict);
  await create('used', 'native');
  await ingest(graphql, 'used', eventsFrom(0, 1));
  expect(await startNative(graphql, { runId: 'used', request: REQUEST })).toMatchObject(conflict);
  await create('over', 'native');
  await post(graphql, 'mutation { endRun(input: { runId: "over" }) { __typename } }');
  expect(await startNative(graphql, { runId: 'over', request: REQUEST })).toMatchObject({
    __typename: 'NativeRunRefused',
    code: 'run_terminated',
  });
  expect(provider.requests).toHaveLength(1);
});

test('a followed run refuses events of other senders, and endRun ends it and its request', async () => {
  const { provider, server } = await following();
  const { graphql } = server;
  provider.answer({ kind: 'stream', bytes: sse(begins(), says('h')), after: 'stall' });
  await startNative(graphql, { runId: 'r', request: REQUEST });
  await eventually(async () => (await eventsOf(graphql, 'r')).length === 2);
  expect(await ingest(graphql, 'r', eventsFrom(2, 1))).toMatchObject({ code: 'claim_refused' });
  await post(graphql, 'mutation { endRun(input: { runId: "r" }) { __typename } }');
  await eventually(() => provider.openAnswers() === 0);
  const events = await eventsOf(graphql, 'r');
  expect(events).toHaveLength(3);
  expect(events.at(-1)?.data).toMatchObject({ outcome: 'cancelled' });
});

test('a server without an API key refuses, and exactly one of the two inputs is required', async () => {
  const server = await startTestServer();
  releaseAfterwards(() => server.close());
  expect(await startNative(server.graphql, { runId: 'r', request: REQUEST })).toMatchObject({
    __typename: 'NativeRunRefused',
    code: 'native_not_configured',
  });
  expect(
    resultOf<unknown[]>((await post(server.graphql, '{ runs { edges { node { id } } } }')).body, 'runs'),
  ).toEqual({
    edges: [],
  });
  for (const input of [
    { runId: 'r' },
    { runId: 'r', request: {}, sessionId: 's' },
    { runId: 'r', sessionId: '../x' },
  ]) {
    await expect(startNative(server.graphql, input)).rejects.toThrow('BAD_USER_INPUT');
  }
});
