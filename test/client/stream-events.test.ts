import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type StreamOptions, type StreamState, streamEvents } from '../../src/client/stream/events.ts';
import { type StreamedEvent, StreamRefused } from '../../src/client/stream/feed.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { eventsFrom, eventually, ingest, newRun, terminalAt } from '../support/runs.ts';
import { startTestServer } from '../support/server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { failureOf } from './logs.ts';

const QUICKLY = { firstMs: 2, longestMs: 20 };
const TRANSPORTS = ['websocket', 'sse'] as const;

async function start() {
  const server = await startTestServer();
  releaseAfterwards(() => server.close());
  return { ...server, runId: await newRun(server.graphql) };
}

function follow(url: string, runId: string, options: Partial<StreamOptions> = {}) {
  return streamEvents(runId, { url, webSocketImpl: WebSocket, backoff: QUICKLY, ...options });
}

async function all(events: AsyncIterable<StreamedEvent>): Promise<StreamedEvent[]> {
  const seen: StreamedEvent[] = [];
  for await (const event of events) seen.push(event);
  return seen;
}

const numbers = (events: readonly StreamedEvent[]): number[] => events.map(({ seq }) => seq);

describe.each(TRANSPORTS)('streamEvents over %s', (transport) => {
  test('yields stored and new events, reports its state, and ends with the run', async () => {
    const { graphql, runId } = await start();
    const states: StreamState[] = [];
    const events = follow(graphql, runId, { transport, onState: (state) => states.push(state) });
    expect(events.state()).toBe('connecting');
    await ingest(graphql, runId, eventsFrom(0, 2));
    const seen = [(await events.next()).value!, (await events.next()).value!];
    const rest = all(events);
    await eventually(() => events.state() === 'live');
    await ingest(graphql, runId, [...eventsFrom(7, 1), terminalAt(9)]);
    seen.push(...(await rest));
    expect(seen.map(({ committedAt: _, sourceSeq: __, ...event }) => event)).toEqual([
      ...eventsFrom(0, 2),
      ...eventsFrom(7, 1),
      terminalAt(9),
    ]);
    for (const { seq, sourceSeq, committedAt } of seen) {
      expect(sourceSeq).toBe(seq);
      expect(new Date(committedAt).toISOString()).toBe(committedAt);
    }
    expect(states).toEqual(['catching_up', 'live', 'ended']);
    expect(events.cursor()).toBe(9);
  });

  test('continues after the cursor, even on an ended run with no further events', async () => {
    const { graphql, runId } = await start();
    await ingest(graphql, runId, [...eventsFrom(0, 4), terminalAt(9)]);
    expect(numbers(await all(follow(graphql, runId, { transport, after: 2 })))).toEqual([3, 9]);
    const late = follow(graphql, runId, { transport, after: 9 });
    expect(await all(late)).toEqual([]);
    expect(late.state()).toBe('ended');
  });

  test('yields only the requested kinds and the terminal event', async () => {
    const { graphql, runId } = await start();
    const other = { ...eventsFrom(4, 1)[0]!, kind: 'notification' };
    await ingest(graphql, runId, [...eventsFrom(0, 4), other, terminalAt(9)]);
    const events = follow(graphql, runId, { transport, kinds: ['notification'] });
    expect(numbers(await all(events))).toEqual([4, 9]);
  });

  test('throws the code of a refusal', async () => {
    const { graphql, runId } = await start();
    for (const [events, code] of [
      [follow(graphql, 'nobody', { transport }), 'unknown_run'],
      [follow(graphql, runId, { transport, after: -2 }), 'BAD_USER_INPUT'],
      [follow(graphql, runId, { transport, kinds: [] }), 'BAD_USER_INPUT'],
    ] as const) {
      const failure = await failureOf(all(events));
      expect(failure).toBeInstanceOf(StreamRefused);
      expect(failure).toMatchObject({ code, message: expect.stringMatching(/\S/) });
      expect(events.state()).toBe('stopped');
    }
  });

  test('reconnects after a cut, and reports the cut', async () => {
    const { graphql, runId } = await start();
    const proxy = await startTcpProxy(graphql);
    const cuts: unknown[] = [];
    const onState = (_state: StreamState, cut: Error | null) => void (cut && cuts.push(cut));
    const events = follow(proxy.url, runId, { transport, onState });
    await ingest(graphql, runId, eventsFrom(0, 1));
    expect((await events.next()).value?.seq).toBe(0);
    const rest = all(events);
    for (let seq = 1; seq < 5; seq += 1) {
      await eventually(() => events.state() === 'live');
      expect(proxy.cut()).toBeGreaterThan(0);
      await eventually(() => cuts.length >= seq);
      await ingest(graphql, runId, eventsFrom(seq, 1));
    }
    await ingest(graphql, runId, [terminalAt(9)]);
    expect(numbers(await rest)).toEqual([1, 2, 3, 4, 9]);
    for (const cut of cuts) expect(cut).toMatchObject({ name: 'StreamCut' });
  });

  test('notices a stalled connection', async () => {
    const { graphql, runId } = await start();
    const proxy = await startTcpProxy(graphql);
    const events = follow(proxy.url, runId, { transport, stalledAfterMs: 150 });
    await ingest(graphql, runId, eventsFrom(0, 1));
    expect((await events.next()).value?.seq).toBe(0);
    const rest = all(events);
    await eventually(() => events.state() === 'live');
    const before = proxy.taken();
    proxy.stall();
    await ingest(graphql, runId, [terminalAt(1)]);
    await eventually(() => proxy.taken() > before);
    proxy.resume();
    expect(numbers(await rest)).toEqual([1]);
  });

  test('waits for a server that is down', async () => {
    const { graphql, url, runId, config, close } = await start();
    await ingest(graphql, runId, [...eventsFrom(0, 3), terminalAt(3)]);
    await close();
    const events = follow(graphql, runId, { transport });
    const seen = all(events);
    await eventually(() => events.state() === 'reconnecting');
    const again = await startTestServer({ DATABASE_URL: config.databaseUrl, PORT: new URL(url).port });
    releaseAfterwards(() => again.close());
    expect(numbers(await seen)).toEqual([0, 1, 2, 3]);
  });

  test('ends immediately when its reader leaves or its signal aborts', async () => {
    const { graphql, runId } = await start();
    await ingest(graphql, runId, eventsFrom(0, 1));
    const left = follow(graphql, runId, { transport });
    expect((await left.next()).value?.seq).toBe(0);
    const pending = left.next();
    await left.return();
    expect(await pending).toEqual({ done: true, value: undefined });
    expect(left.state()).toBe('stopped');

    const leaving = new AbortController();
    const aborted = follow(graphql, runId, { transport, signal: leaving.signal });
    expect((await aborted.next()).value?.seq).toBe(0);
    const next = failureOf(aborted.next());
    leaving.abort(new Error('enough'));
    expect(await next).toMatchObject({ message: 'enough' });
    expect(aborted.state()).toBe('stopped');

    await ingest(graphql, runId, eventsFrom(1, 9));
    const sooner = new AbortController();
    const early = follow(graphql, runId, { transport, signal: sooner.signal });
    expect((await early.next()).value?.seq).toBe(0);
    sooner.abort(new Error('not one more'));
    expect(await failureOf(early.next())).toMatchObject({ message: 'not one more' });
  });

  test('ends immediately while it connects to a server that does not answer', async () => {
    const { graphql, runId } = await start();
    const proxy = await startTcpProxy(graphql);
    proxy.stall();
    const events = follow(proxy.url, runId, { transport });
    const pending = events.next();
    await eventually(() => proxy.taken() > 0);
    await events.return();
    expect(await pending).toEqual({ done: true, value: undefined });
  });

  test('buffers little for a slow reader, and loses nothing', async () => {
    const { graphql, runId } = await start();
    const count = 60;
    const proxy = await startTcpProxy(graphql);
    const events = follow(proxy.url, runId, { transport });
    await ingest(graphql, runId, [{ ...eventsFrom(0, 1)[0], data: {} }]);
    expect((await events.next()).value?.seq).toBe(0);
    const text = 'x'.repeat(500_000);
    for (const event of eventsFrom(1, count)) await ingest(graphql, runId, [{ ...event, data: { text } }]);
    await ingest(graphql, runId, [terminalAt(count + 1)]);
    expect(numbers(await all(events))).toEqual(Array.from({ length: count + 1 }, (_, index) => index + 1));
    // A websocket has no backpressure: when enough waits, the connection is closed and opened again.
    if (transport === 'websocket') expect(proxy.taken()).toBeGreaterThan(1);
    else expect(proxy.taken()).toBe(1);
  });
});

describe('streamEvents with the default transport', () => {
  test('uses server-sent events where websockets are blocked', async () => {
    const { graphql, runId } = await start();
    const proxy = await startTcpProxy(graphql, { refuse: /^upgrade: websocket/im });
    await ingest(graphql, runId, [...eventsFrom(0, 3), terminalAt(3)]);
    expect(numbers(await all(follow(proxy.url, runId)))).toEqual([0, 1, 2, 3]);
  });

  test('refuses an invalid address, and a missing WebSocket class if a websocket is required', async () => {
    expect(() => follow('nowhere', 'r')).toThrow(TypeError);
    expect(() => follow('http://me:secret@127.0.0.1/graphql', 'r')).toThrow(/^(?!.*secret)/);
    const events = follow('http://127.0.0.1:9', 'r', { transport: 'websocket', webSocketImpl: 'none' });
    await expect(events.next()).rejects.toThrow(/webSocketImpl/);
  });
});
