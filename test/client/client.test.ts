import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import {
  type FollowedEvent,
  FollowFailed,
  followRun,
  IngestFailed,
  type IngestOptions,
  ingestBatch,
} from '../../src/client/index.ts';
import type { RunnerEvent, RunnerEventBatch } from '../../src/contract/events.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { CREATE_RUN, post } from '../support/request.ts';
import { startTestServer } from '../support/server.ts';

async function start() {
  const server = await startTestServer();
  releaseAfterwards(() => server.close());
  await post(server.graphql, CREATE_RUN, { id: 'r' });
  return server;
}

function batchOf(events: readonly (Partial<RunnerEvent> & { seq: number })[]): RunnerEventBatch {
  const whole = events.map((event) => ({
    tMs: 5,
    kind: 'assistant_text' as const,
    data: { text: 'x' },
    ...event,
  }));
  return { v: 1, runId: 'r', events: whole };
}

const START = { seq: 0, kind: 'runtime_started', data: {} } as const;
const END = { seq: 9, kind: 'runtime_terminal', data: { outcome: 'completed' } } as const;

const failureOf = (sending: Promise<unknown>) =>
  sending.then(
    () => null,
    (error: unknown) => error,
  );

describe('ingestBatch', () => {
  test('tells how much of a batch was new and how much was there', async () => {
    const { graphql: url } = await start();
    const first = await ingestBatch(batchOf([{ seq: 0 }, { seq: 4 }]), { url, previousSeq: -1 });
    expect(first).toEqual({ __typename: 'IngestEventsSuccess', accepted: 2, duplicates: 0, lastSeq: 4 });
    const again = await ingestBatch(batchOf([{ seq: 4 }, { seq: 5 }]), { url });
    expect(again).toEqual({ __typename: 'IngestEventsSuccess', accepted: 1, duplicates: 1, lastSeq: 5 });
  });

  test('hands over why a batch was refused', async () => {
    const { graphql: url } = await start();
    await ingestBatch(batchOf([{ seq: 0 }]), { url });
    expect(await ingestBatch(batchOf([{ seq: 3 }]), { url, previousSeq: 2 })).toMatchObject({
      __typename: 'BatchRejected',
      code: 'seq_gap',
      expectedSeq: 0,
    });
    expect(await ingestBatch(batchOf([{ seq: 1 }, { seq: 1 }]), { url })).toMatchObject({
      __typename: 'BatchRejected',
      code: 'seq_not_monotonic',
      eventIndex: 1,
    });
    expect(await ingestBatch({ ...batchOf([{ seq: 0 }]), runId: 'nobody' }, { url })).toMatchObject({
      __typename: 'BatchRejected',
      code: 'unknown_run',
      message: expect.stringContaining('nobody'),
    });
  });

  test('fails with the code of a fault', async () => {
    const { graphql: url } = await start();
    const options: IngestOptions = { url, previousSeq: -2 };
    const failure = await failureOf(ingestBatch(batchOf([{ seq: 0 }]), options));
    expect(failure).toBeInstanceOf(IngestFailed);
    expect(failure).toMatchObject({ code: 'BAD_USER_INPUT', message: expect.stringMatching(/\S/) });
  });

  test('fails without a code when nobody is there, and names the address', async () => {
    const { url, close } = await start();
    await close();
    const failure = await failureOf(ingestBatch(batchOf([{ seq: 0 }]), { url: `${url}/graphql` }));
    expect(failure).toBeInstanceOf(IngestFailed);
    expect(failure).toMatchObject({ code: null, message: expect.stringContaining(new URL(url).host) });
  });

  test.each(['<html></html>', 'null', '[]', '{}', '{"data":{}}', '{"errors":"none"}'])(
    'fails without a code when the answer, %s, is none of a runfeed server',
    async (body) => {
      const other = createServer((_request, response) => response.end(body)).listen(0, '127.0.0.1');
      releaseAfterwards(() => other.close());
      await once(other, 'listening');
      const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}/graphql`;
      const failure = await failureOf(ingestBatch(batchOf([{ seq: 0 }]), { url }));
      expect(failure).toBeInstanceOf(IngestFailed);
      expect(failure).toMatchObject({ code: null });
    },
  );

  test('gives up when its signal says so', async () => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1');
    releaseAfterwards(() => silent.closeAllConnections());
    await once(silent, 'listening');
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/graphql`;
    const leaving = new AbortController();
    const failure = failureOf(ingestBatch(batchOf([{ seq: 0 }]), { url, signal: leaving.signal }));
    silent.once('request', () => leaving.abort());
    expect(await failure).toMatchObject({ name: 'IngestFailed', code: null, cause: leaving.signal.reason });
  });
});

describe('followRun', () => {
  const follow = (url: string, after?: number) =>
    followRun('r', { url, webSocketImpl: WebSocket, ...(after !== undefined && { after }) });

  async function all(events: AsyncIterable<FollowedEvent>): Promise<FollowedEvent[]> {
    const seen: FollowedEvent[] = [];
    for await (const event of events) seen.push(event);
    return seen;
  }

  test('hands over what was stored before and what comes after, and ends with the run', async () => {
    const { graphql: url } = await start();
    const before = batchOf([START, { seq: 1, data: { deep: { é: [1e21, null, '\u0000'] } } }]);
    const after = batchOf([
      { seq: 7, tMs: 8 },
      { ...END, tMs: 8 },
    ]);
    await ingestBatch(before, { url });
    const events = follow(url);
    const seen = [(await events.next()).value!, (await events.next()).value!];
    await ingestBatch(after, { url });
    seen.push(...(await all(events)));
    expect(seen.map(({ committedAt: _, ...event }) => event)).toEqual([...before.events, ...after.events]);
    for (const { committedAt } of seen) expect(new Date(committedAt).toISOString()).toBe(committedAt);
  });

  test('goes on after the cursor, also on a run that has ended with nothing left', async () => {
    const { graphql: url } = await start();
    await ingestBatch(batchOf([START, { seq: 3 }, END]), { url });
    expect((await all(follow(url, 0))).map(({ seq }) => seq)).toEqual([3, 9]);
    expect(await all(follow(url, 9))).toEqual([]);
  });

  test('throws when the connection is cut before the run’s end, having handed over what came', async () => {
    const { graphql: url, close } = await start();
    await ingestBatch(batchOf([START]), { url });
    const events = follow(url);
    expect(await events.next()).toMatchObject({ value: { seq: 0 } });
    const next = failureOf(events.next());
    await close();
    const failure = await next;
    expect(failure).toBeInstanceOf(FollowFailed);
    expect(failure).toMatchObject({ code: null, closeCode: 1012, message: 'Service restart' });
  });

  test('throws when nobody is there', async () => {
    const { graphql: url, close } = await start();
    await close();
    const failure = await failureOf(all(follow(url)));
    expect(failure).toBeInstanceOf(FollowFailed);
    expect(failure).toMatchObject({ code: null, message: expect.stringContaining('ECONNREFUSED') });
  });

  test('throws when a proxy in between closes in order, as if the run had ended', async () => {
    const proxy = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    releaseAfterwards(() => proxy.close());
    await once(proxy, 'listening');
    proxy.on('connection', (socket) => {
      socket.on('message', (text) => {
        const { type, id } = JSON.parse(String(text));
        if (type === 'connection_init') socket.send('{"type":"connection_ack"}');
        if (type !== 'subscribe') return;
        socket.send(JSON.stringify({ type: 'next', id, payload: { data: { runEvents: START } } }));
        socket.close(1000);
      });
    });
    const events = follow(`ws://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
    expect(await events.next()).toMatchObject({ value: START });
    expect(await failureOf(events.next())).toBeInstanceOf(FollowFailed);
  });

  test('throws the code of what it is refused for', async () => {
    const { graphql: url } = await start();
    for (const [events, code] of [
      [followRun('nobody', { url, webSocketImpl: WebSocket }), 'unknown_run'],
      [follow(url, -2), 'BAD_USER_INPUT'],
    ] as const) {
      const failure = await failureOf(all(events));
      expect(failure).toBeInstanceOf(FollowFailed);
      expect(failure).toMatchObject({ code, closeCode: null, message: expect.stringMatching(/\S/) });
    }
  });

  test('leaves when its reader leaves', async () => {
    const { graphql: url, close } = await start();
    await ingestBatch(batchOf([START]), { url });
    for await (const { seq } of follow(url)) {
      expect(seq).toBe(0);
      break;
    }
    await close();
  });
});
