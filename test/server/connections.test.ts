import { describe, expect, test } from 'vitest';
import { codesOf } from '../support/error-codes.ts';
import { connectRaw, postHead } from '../support/raw-http.ts';
import { INGEST, post } from '../support/request.ts';
import { eventsFrom, eventually, ingest, newRun, terminalAt } from '../support/runs.ts';
import { startTransports } from '../support/transports.ts';
import {
  connectWebsocket,
  type Message,
  openWebsocket,
  type WebsocketClient,
} from '../support/websocket-client.ts';

const NUMBERS =
  'subscription ($runId: ID!, $after: SafeInt) { runEvents(runId: $runId, after: $after) { seq } }';

/** Returns all messages until these operations are complete. */
async function untilComplete(client: WebsocketClient, ...operations: string[]): Promise<Message[]> {
  const open = new Set(operations);
  const messages: Message[] = [];
  while (open.size > 0) {
    const message = await client.next();
    messages.push(message);
    if (message.type === 'complete') open.delete(message.id ?? '');
  }
  return messages;
}

describe('before a websocket is acknowledged', () => {
  test.each([
    ['in one frame', true],
    ['in a frame that is not the last', false],
  ])('a message over 16 KiB closes it with 1009: %s', async (_, fin) => {
    const { graphql } = await startTransports();
    const client = await connectWebsocket(graphql);
    const init = { type: 'connection_init', payload: { junk: 'x'.repeat(17_000) } };
    client.socket.send(JSON.stringify(init), { fin, binary: false });
    expect((await client.closed()).code).toBe(1009);
  });

  test('a token that is not text closes it with 4403', async () => {
    const { graphql } = await startTransports();
    const client = await connectWebsocket(graphql);
    client.send({ type: 'connection_init', payload: { authorization: [[['Bearer x']]] } });
    expect((await client.closed()).code).toBe(4403);
  });

  test('messages are limited, and may be long afterwards', async () => {
    const { graphql } = await startTransports();
    const runId = await newRun(graphql);
    const client = await openWebsocket(graphql);
    const events = [{ seq: 0, tMs: 0, kind: 'notification', data: { text: 'x'.repeat(1_000_000) } }];
    client.subscribe('1', INGEST, { b: { v: 1, runId, events } });
    expect(await client.next()).toMatchObject({ payload: { data: { ingestEvents: { accepted: 1 } } } });
  });
});

describe('the request of a subscription', () => {
  const dense = { extensions: { list: Array.from({ length: 400 }, () => ({})) } };

  test('is refused with DOCUMENT_TOO_LARGE if it takes too much memory, however few bytes it has', async () => {
    const { graphql } = await startTransports();
    const runId = await newRun(graphql);
    const payload = { query: NUMBERS, variables: { runId }, ...dense };
    expect(JSON.stringify(payload).length).toBeLessThan(16_000);
    const client = await openWebsocket(graphql);
    client.send({ id: '1', type: 'subscribe', payload });
    const { type, payload: errors } = await client.next();
    expect([type, codesOf(errors)]).toEqual(['error', ['DOCUMENT_TOO_LARGE']]);
    const streamed = await fetch(graphql, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
      body: JSON.stringify(payload),
    });
    expect(await streamed.text().catch(() => 'cut')).toMatch(/DOCUMENT_TOO_LARGE|cut/);
    const get = new URL(graphql);
    for (const [name, value] of Object.entries({
      query: NUMBERS,
      variables: { runId },
      extensions: payload.extensions,
    })) {
      get.searchParams.set(name, typeof value === 'string' ? value : JSON.stringify(value));
    }
    const asked = await fetch(get, { headers: { accept: 'text/event-stream' } });
    expect(await asked.text().catch(() => 'cut')).toMatch(/DOCUMENT_TOO_LARGE|cut/);
  });

  test('is counted until the subscription ends, except for the first subscription of a socket', async () => {
    const { graphql, load } = await startTransports();
    const runId = await newRun(graphql);
    const client = await openWebsocket(graphql);
    const opened = async (id: string) => {
      client.subscribe(id, NUMBERS, { runId });
      client.subscribe(`after ${id}`, '{ __typename }');
      await untilComplete(client, `after ${id}`);
    };
    await opened('1');
    expect(load.subscriptions.heldBytes()).toBe(0);
    await opened('2');
    expect(load.subscriptions.heldBytes()).toBeGreaterThan(16 * 1024);
    client.send({ id: '2', type: 'complete' });
    await eventually(() => load.subscriptions.heldBytes() === 0);
  });
});

describe('a reused operation id', () => {
  const twoEvents = (first: number) => eventsFrom(first, 2);

  test.each([1, 2, 5])('belongs to the operation that started last, after %d earlier ones', async (times) => {
    const { graphql, feed } = await startTransports();
    const runId = await newRun(graphql);
    await ingest(graphql, runId, twoEvents(0));
    const client = await openWebsocket(graphql);
    // In one write, so that each operation starts before the previous one has ended.
    for (let time = 0; time < times; time += 1) {
      client.subscribe('a', NUMBERS, { runId });
      client.send({ id: 'a', type: 'complete' });
    }
    client.subscribe('a', NUMBERS, { runId, after: 1 });
    client.subscribe('b', NUMBERS, { runId, after: 1 });
    await eventually(() => feed.watchedRuns() === 1);
    await client.drain(100);
    await ingest(graphql, runId, twoEvents(2));
    await ingest(graphql, runId, [terminalAt(4)]);
    const told: Record<string, unknown[]> = { a: [], b: [] };
    for (const { id, type, payload } of await client.drain(300)) {
      const { runEvents } = (payload as { data: { runEvents: { seq: number } } } | undefined)?.data ?? {};
      told[id ?? '']?.push(type === 'next' ? runEvents?.seq : type);
    }
    expect(told).toEqual({ a: [2, 3, 4, 'complete'], b: [2, 3, 4, 'complete'] });
  });

  test('leaves nothing behind once the last operation has ended', async () => {
    const { graphql, feed, load } = await startTransports();
    const runId = await newRun(graphql);
    const client = await openWebsocket(graphql);
    for (let time = 0; time < 20; time += 1) {
      client.subscribe('a', NUMBERS, { runId });
      client.send({ id: 'a', type: 'complete' });
    }
    client.subscribe('last', '{ __typename }');
    await untilComplete(client, 'last');
    await eventually(() => feed.watchedRuns() === 0 && load.subscriptions.heldBytes() === 0);
    await ingest(graphql, runId, twoEvents(0));
    expect(await client.drain(200)).toEqual([]);
  });

  test('answers only the last query', async () => {
    const { graphql } = await startTransports();
    const client = await openWebsocket(graphql);
    client.subscribe('a', '{ server { version } }');
    client.send({ id: 'a', type: 'complete' });
    client.subscribe('a', '{ __typename }');
    client.subscribe('last', '{ __typename }');
    const told = await untilComplete(client, 'last');
    expect(told.filter(({ id }) => id === 'a')).toEqual([
      { id: 'a', type: 'next', payload: { data: { __typename: 'Query' } } },
      { id: 'a', type: 'complete' },
    ]);
  });
});

test('a request whose body never starts is cut after 30 s', async () => {
  const { graphql } = await startTransports();
  const { socket, closed } = connectRaw(graphql);
  const began = performance.now();
  socket.write(postHead(graphql, 100));
  await closed;
  expect(performance.now() - began).toBeGreaterThan(29_000);
}, 60_000);

test('1,100 connections with waiting new documents leave room for small requests of others', async () => {
  const { graphql, load } = await startTransports();
  const runId = await newRun(graphql);
  // Each connection has one heavy piece of work waiting, as many as may wait in total.
  const waiting = Array.from({ length: 1_100 }, () => load.turns.take({}, 3 * 1024 * 1024));
  const events = [{ seq: 0, tMs: 0, kind: 'notification', data: { text: 'x'.repeat(4_000) } }];
  const { body } = await post(graphql, INGEST, { b: { v: 1, runId, events } });
  expect(body).toMatchObject({ data: { ingestEvents: { accepted: 1 } } });
  expect((await post(graphql, `{ run(id: "${runId}") { id title } }`)).body).toHaveProperty(
    'data.run.id',
    runId,
  );
  await Promise.all(waiting);
});
