import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { RunningServer } from '../../src/server/server.ts';
import { StoreUnavailable } from '../../src/store/unavailable.ts';
import { codesOf } from '../support/error-codes.ts';
import { eventsFrom, eventually, ingest, newRun, terminalAt } from '../support/runs.ts';
import { startTestServer } from '../support/server.ts';
import { startTransports } from '../support/transports.ts';
import { connectWebsocket, openWebsocket } from '../support/websocket-client.ts';

const FOLLOW =
  'subscription ($runId: ID!, $after: SafeInt) { runEvents(runId: $runId, after: $after) { seq } }';
const VERSION = '{ server { contractVersion } }';

const unavailable = async (): Promise<never> => {
  throw new StoreUnavailable('down');
};

let server: RunningServer & { readonly graphql: string };

beforeAll(async () => {
  server = await startTestServer();
});

afterAll(() => server.close());

describe('the handshake', () => {
  test('a socket that offers no subprotocol is closed with 4406', async () => {
    const client = await connectWebsocket(server.graphql, { protocols: [] });
    expect(await client.closed()).toEqual({ code: 4406, reason: 'Subprotocol not acceptable' });
  });

  test('a socket that offers only another subprotocol gets no subprotocol', async () => {
    await expect(connectWebsocket(server.graphql, { protocols: ['nope'] })).rejects.toThrow(
      'Server sent no subprotocol',
    );
  });

  test('a socket that never sends connection_init is closed with 4408', async () => {
    const client = await connectWebsocket(server.graphql);
    expect(await client.closed()).toEqual({ code: 4408, reason: 'Connection initialisation timeout' });
  });

  test('a subscribe before the ack closes with 4401', async () => {
    const client = await connectWebsocket(server.graphql);
    client.subscribe('1', VERSION);
    expect(await client.closed()).toEqual({ code: 4401, reason: 'Unauthorized' });
  });

  test('a second connection_init closes with 4429', async () => {
    const client = await openWebsocket(server.graphql);
    client.send({ type: 'connection_init' });
    expect((await client.closed()).code).toBe(4429);
  });
});

describe('messages', () => {
  const broken: readonly [string, unknown][] = [
    ['text that is not JSON', 'not json'],
    ['an array', []],
    ['null', null],
    ['an object without a type', {}],
    ['an unknown type', { type: 'nope' }],
    ['a subscribe without an id', { type: 'subscribe', payload: { query: VERSION } }],
    ['a subscribe with an empty id', { type: 'subscribe', id: '', payload: { query: VERSION } }],
    [
      'extensions that are not an object',
      { type: 'subscribe', id: '1', payload: { query: VERSION, extensions: 'x' } },
    ],
  ];
  for (const [what, message] of broken) {
    test(`${what} closes with 4400`, async () => {
      const client = await openWebsocket(server.graphql);
      client.send(message === null ? 'null' : message);
      expect(await client.closed()).toEqual({ code: 4400, reason: 'Invalid message received' });
    });
  }

  test('a ping is answered with a pong of the same payload', async () => {
    const client = await openWebsocket(server.graphql);
    client.send({ type: 'ping', payload: { a: [1] } });
    expect(await client.next()).toEqual({ type: 'pong', payload: { a: [1] } });
  });

  test('a duplicate id closes with 4409', async () => {
    const runId = await newRun(server.graphql);
    const client = await openWebsocket(server.graphql);
    client.subscribe('1', FOLLOW, { runId });
    client.subscribe('1', FOLLOW, { runId });
    expect(await client.closed()).toEqual({ code: 4409, reason: 'Subscriber for 1 already exists' });
  });

  test('a query is answered with next and complete', async () => {
    const client = await openWebsocket(server.graphql);
    client.subscribe('1', VERSION);
    expect(await client.next()).toEqual({
      id: '1',
      type: 'next',
      payload: { data: { server: { contractVersion: 1 } } },
    });
    expect(await client.next()).toEqual({ id: '1', type: 'complete' });
  });
});

describe('an operation that fails', () => {
  const refused: readonly [string, string, unknown, string][] = [
    ['an unknown field', '{ nope }', {}, 'GRAPHQL_VALIDATION_FAILED'],
    ['a syntax error', '{', {}, 'GRAPHQL_PARSE_FAILED'],
    ['an unknown run', FOLLOW, { runId: 'nobody' }, 'unknown_run'],
    ['a cursor below -1', FOLLOW, { runId: 'nobody', after: -2 }, 'BAD_USER_INPUT'],
    ['a variable of the wrong type', FOLLOW, { runId: 'nobody', after: 'x' }, 'BAD_USER_INPUT'],
    ['a missing variable', FOLLOW, {}, 'BAD_USER_INPUT'],
  ];
  for (const [what, query, variables, code] of refused) {
    test(`${what} is answered with one error, no complete, and the socket stays open`, async () => {
      const client = await openWebsocket(server.graphql);
      client.subscribe('1', query, variables);
      const { id, type, payload } = await client.next();
      expect([id, type]).toEqual(['1', 'error']);
      expect(codesOf(payload)).toContain(code);
      client.subscribe('1', VERSION);
      expect((await client.next()).type).toBe('next');
      expect((await client.next()).type).toBe('complete');
      expect(await client.drain(50)).toEqual([]);
    });
  }

  test('a typo leaves the other subscriptions of the socket running', async () => {
    const runId = await newRun(server.graphql);
    const client = await openWebsocket(server.graphql);
    client.subscribe('feed', FOLLOW, { runId });
    client.subscribe('typo', 'subscription { runEvents(runId: }');
    expect((await client.next()).type).toBe('error');
    await ingest(server.graphql, runId, eventsFrom(0, 1));
    expect(await client.next()).toMatchObject({ id: 'feed', type: 'next' });
  });

  test('a resolver’s error is masked, and reported under the id that the client received', async () => {
    const transports = await startTransports((store) => ({
      ...store,
      findRun: async () => {
        throw new Error('secret of the database');
      },
    }));
    const client = await openWebsocket(transports.graphql);
    client.subscribe('1', '{ run(id: "a") { id } }');
    const { type, payload } = await client.next();
    expect(type).toBe('next');
    const { errors } = payload as { errors: { extensions: { errorId: string } }[] };
    expect(codesOf(errors)).toEqual(['INTERNAL_SERVER_ERROR']);
    expect(JSON.stringify(payload)).not.toContain('secret');
    expect(String(transports.reported.get(errors[0]!.extensions.errorId))).toContain('secret');
  });

  test('a feed’s error is masked and sent without complete', async () => {
    const transports = await startTransports((store) => ({
      ...store,
      readHeads: async () => {
        throw new Error('secret of the database');
      },
    }));
    const runId = await newRun(transports.graphql);
    const client = await openWebsocket(transports.graphql);
    client.subscribe('1', FOLLOW, { runId });
    const { type, payload } = await client.next();
    expect(type).toBe('error');
    expect(codesOf(payload)).toEqual(['INTERNAL_SERVER_ERROR']);
    expect(JSON.stringify(payload)).not.toContain('secret');
    expect(await client.drain(50)).toEqual([]);
    expect(client.socket.readyState).toBe(WebSocket.OPEN);
  });
});

describe('leaving', () => {
  test('complete by the client ends the feed and frees the id', async () => {
    const { graphql, feed } = await startTransports();
    const runId = await newRun(graphql);
    const client = await openWebsocket(graphql);
    client.subscribe('1', FOLLOW, { runId });
    await eventually(() => feed.watchedRuns() === 1);
    client.send({ id: '1', type: 'complete' });
    await eventually(() => feed.watchedRuns() === 0);
    await ingest(graphql, runId, eventsFrom(0, 2));
    expect(await client.drain(50)).toEqual([]);
    client.subscribe('1', FOLLOW, { runId, after: 0 });
    expect(await client.next()).toMatchObject({ id: '1', payload: { data: { runEvents: { seq: 1 } } } });
  });

  test('a broken connection ends its feeds', async () => {
    const { graphql, feed } = await startTransports();
    const runIds = [await newRun(graphql), await newRun(graphql)];
    const client = await openWebsocket(graphql);
    for (const runId of runIds) client.subscribe(runId, FOLLOW, { runId });
    await eventually(() => feed.watchedRuns() === 2);
    client.socket.terminate();
    await eventually(() => feed.watchedRuns() === 0);
  });

  test('a server stop closes with 1012 and completes no subscription', async () => {
    const stopping = await startTestServer();
    const runId = await newRun(stopping.graphql);
    await ingest(stopping.graphql, runId, eventsFrom(0, 1));
    const client = await openWebsocket(stopping.graphql);
    client.subscribe('1', FOLLOW, { runId });
    expect((await client.next()).type).toBe('next');
    await stopping.close();
    expect(await client.closed()).toEqual({ code: 1012, reason: 'Service restart' });
    expect(await client.drain(50)).toEqual([]);
  });

  test('a store that stays down closes with 1013, so that clients reconnect', async () => {
    const { graphql } = await startTransports((store) => ({ ...store, readHeads: unavailable }), 0);
    const runId = await newRun(graphql);
    const client = await openWebsocket(graphql);
    client.subscribe('1', FOLLOW, { runId });
    expect(await client.closed()).toEqual({ code: 1013, reason: 'Try again later' });
    expect(await client.drain(50)).toEqual([]);
  });

  test('a subscription begins when the store is available again', async () => {
    let failures = 3;
    const { graphql } = await startTransports((store) => ({
      ...store,
      findRun: (workspace, id) => {
        failures -= 1;
        return failures >= 0 ? unavailable() : store.findRun(workspace, id);
      },
    }));
    const runId = await newRun(graphql);
    const client = await openWebsocket(graphql);
    client.subscribe('1', FOLLOW, { runId });
    await eventually(() => failures < 0);
    await ingest(graphql, runId, eventsFrom(0, 1));
    expect(await client.next()).toMatchObject({ id: '1', payload: { data: { runEvents: { seq: 0 } } } });
  });
});

describe('many at once', () => {
  test('events of one run never reach a subscriber of another', async () => {
    const [first, second] = [await newRun(server.graphql), await newRun(server.graphql)];
    const DATA = 'subscription ($runId: ID!) { runEvents(runId: $runId) { data } }';
    const client = await openWebsocket(server.graphql);
    client.subscribe('first', DATA, { runId: first });
    client.subscribe('second', DATA, { runId: second });
    for (let seq = 0; seq < 50; seq += 1) {
      for (const runId of [first, second]) {
        const events = [{ seq, tMs: 0, kind: 'assistant_text', data: { of: runId } }];
        await ingest(server.graphql, runId, events);
      }
    }
    for (const runId of [first, second]) await ingest(server.graphql, runId, [terminalAt(50)]);
    interface Payload {
      readonly data: { readonly runEvents: { readonly data: { readonly of?: string } } };
    }
    const messages = await client.drain(1_000);
    for (const [id, runId] of [
      ['first', first],
      ['second', second],
    ]) {
      const own = messages.filter((message) => message.id === id);
      const owners = own.map(({ payload }) => (payload as Payload | undefined)?.data.runEvents.data.of);
      expect(owners).toEqual([...Array(50).fill(runId), undefined, undefined]);
      expect(own.at(-1)?.type).toBe('complete');
    }
  });

  test('a stalled reader takes no memory, delays no other reader and loses nothing', async () => {
    const { graphql } = server;
    const runId = await newRun(graphql);
    const WITH_DATA = 'subscription ($runId: ID!) { runEvents(runId: $runId) { seq data } }';
    const [stalled, lively] = [await openWebsocket(graphql), await openWebsocket(graphql)];
    stalled.subscribe('1', WITH_DATA, { runId });
    lively.subscribe('1', FOLLOW, { runId });
    const text = 'x'.repeat(8 * 1024);
    stalled.socket.pause();
    const before = process.memoryUsage().rss;
    for (let from = 0; from < 5_120; from += 256) {
      const events = eventsFrom(from, 256).map((event) => ({ ...event, data: { text } }));
      await ingest(graphql, runId, events);
    }
    await ingest(graphql, runId, [terminalAt(5_120)]);
    for (let seq = 0; seq <= 5_120; seq += 1) {
      expect(await lively.next()).toMatchObject({ payload: { data: { runEvents: { seq } } } });
    }
    expect((await lively.next()).type).toBe('complete');
    // The events are 40 MiB, the feed's pages and ring at most 36 MiB; a queue per reader would exceed that.
    expect(process.memoryUsage().rss - before).toBeLessThan(400 * 1024 * 1024);
    stalled.socket.resume();
    for (let seq = 0; seq <= 5_120; seq += 1) {
      expect(await stalled.next()).toMatchObject({ payload: { data: { runEvents: { seq } } } });
    }
    expect((await stalled.next()).type).toBe('complete');
  });
});
