import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test, vi } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { type StreamOptions, streamEvents } from '../../src/client/stream/events.ts';
import type { StreamGap } from '../../src/client/stream/feed.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { eventsFrom, terminalAt } from '../support/runs.ts';
import { failureOf } from './logs.ts';

/** One connection of a scripted server. */
interface Peer {
  next(payload: unknown): void;
  /** Sends text unchanged. */
  raw(text: string): void;
  error(code: string): void;
  complete(): void;
  close(code: number): void;
}

const quickly = { webSocketImpl: WebSocket, backoff: { firstMs: 2, longestMs: 20 } };

function batchOf(events: readonly { readonly seq: number; readonly kind: string }[], more: object = {}) {
  const cursor = events.at(-1)?.seq ?? -1;
  const ended = events.some(({ kind }) => kind === 'runtime_terminal');
  return { data: { runEventBatches: { events, cursor, caughtUp: true, ended, gap: null, ...more } } };
}

/**
 * A websocket server with one treatment per connection, in order. The last one applies to all later
 * connections.
 */
async function startPeer(...treatments: ((peer: Peer, after: number) => void)[]) {
  const server = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    handleProtocols: () => 'graphql-transport-ws',
  });
  releaseAfterwards(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  await once(server, 'listening');
  server.on('connection', (socket) => {
    const treat = treatments.length > 1 ? treatments.shift()! : treatments[0]!;
    const send = (message: object) => socket.send(JSON.stringify(message));
    socket.on('message', (data) => {
      const { type, id, payload } = JSON.parse(String(data));
      if (type === 'connection_init') send({ type: 'connection_ack' });
      if (type !== 'subscribe') return;
      treat(
        {
          next: (result) => send({ type: 'next', id, payload: result }),
          raw: (text) => socket.send(text),
          error: (code) => send({ type: 'error', id, payload: [{ message: 'no', extensions: { code } }] }),
          complete: () => send({ type: 'complete', id }),
          close: (code) => socket.close(code),
        },
        payload.variables.after,
      );
    });
  });
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`;
}

/** An HTTP server with one answer per request, in order. The last one applies to all later requests. */
async function startHttp(...answers: ((response: ServerResponse) => void)[]): Promise<string> {
  const server = createServer((request, response) => {
    request.resume();
    request.once('end', () => (answers.length > 1 ? answers.shift()! : answers[0]!)(response));
  }).listen(0, '127.0.0.1');
  releaseAfterwards(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`;
}

async function numbersOf(url: string, options: Partial<StreamOptions> = {}): Promise<number[]> {
  const seen: number[] = [];
  for await (const { seq } of streamEvents('r', { url, ...quickly, ...options })) seen.push(seq);
  return seen;
}

const rest = (peer: Peer, after: number): void =>
  peer.next(batchOf([...eventsFrom(after + 1, 1), terminalAt(9)]));

describe('streamEvents over a websocket', () => {
  test('drops duplicates, within a connection and after a reconnect', async () => {
    const url = await startPeer(
      (peer) => {
        peer.next(batchOf(eventsFrom(0, 3)));
        peer.next(batchOf(eventsFrom(1, 3)));
        peer.close(1012);
      },
      (peer, after) => {
        expect(after).toBe(3);
        peer.next(batchOf([...eventsFrom(0, 6), terminalAt(9)]));
      },
    );
    expect(await numbersOf(url)).toEqual([0, 1, 2, 3, 4, 5, 9]);
  });

  // The usual client gives up on most of these, and reconnects after 1000 with the first cursor.
  test.each([1000, 1001, 1011, 1012, 1013, 4400, 4404, 4406, 4408, 4409, 4413, 4429, 4499, 4500])(
    'reconnects after a close with %d',
    async (code) => {
      const url = await startPeer((peer) => {
        peer.next(batchOf(eventsFrom(0, 2)));
        peer.close(code);
      }, rest);
      expect(await numbersOf(url)).toEqual([0, 1, 2, 9]);
    },
  );

  test.each(['OVERLOADED', 'STORE_UNAVAILABLE', 'SHUTTING_DOWN', 'INTERNAL_SERVER_ERROR'])(
    'reconnects after the error %s',
    async (code) => {
      expect(await numbersOf(await startPeer((peer) => peer.error(code), rest))).toEqual([0, 9]);
    },
  );

  test.each(['no JSON', '{"type":"next","payload":{"data":{"runEventBatches":null}}}', '{"type":"error"}'])(
    'reconnects after an invalid message: %s',
    async (text) => {
      expect(await numbersOf(await startPeer((peer) => peer.raw(text), rest))).toEqual([0, 9]);
    },
  );

  test('advances through empty batches, and takes `complete` as the end of the run', async () => {
    const url = await startPeer(
      (peer) => {
        peer.next(batchOf([], { cursor: 7 }));
        peer.close(1012);
      },
      (peer, after) => {
        expect(after).toBe(7);
        peer.raw('{"type":"ping"}');
        peer.complete();
      },
    );
    const events = streamEvents('r', { url, ...quickly });
    expect(await events.next()).toEqual({ done: true, value: undefined });
    expect([events.state(), events.cursor()]).toEqual(['ended', 7]);
  });

  test('reports removed events and continues after them', async () => {
    const gap = { fromSeq: 0, toSeq: 6 };
    const gaps: StreamGap[] = [];
    const url = await startPeer((peer) => peer.next(batchOf([...eventsFrom(7, 1), terminalAt(9)], { gap })));
    expect(await numbersOf(url, { onGap: (each) => gaps.push(each) })).toEqual([7, 9]);
    expect(gaps).toEqual([gap]);
  });

  test('throws whatever a callback throws', async () => {
    const url = await startPeer((peer) => peer.close(1012));
    const onState = () => {
      throw new Error('mine');
    };
    expect(await failureOf(numbersOf(url, { onState }))).toMatchObject({ message: 'mine' });
  });

  test.skipIf(!('WebSocket' in globalThis))(
    'uses the platform’s WebSocket if there is one (skipped: there is none)',
    async () => {
      const url = await startPeer((peer) => {
        peer.next(batchOf(eventsFrom(0, 2)));
        peer.close(1012);
      }, rest);
      expect(await numbersOf(url, { webSocketImpl: undefined, transport: 'websocket' })).toEqual([
        0, 1, 2, 9,
      ]);
    },
  );
});

describe('streamEvents over server-sent events', () => {
  const STREAM = { 'content-type': 'text/event-stream' };
  const eventOf = (result: object): string => `event: next\ndata: ${JSON.stringify(result)}\n\n`;
  const ending = (response: ServerResponse): void => {
    response.writeHead(200, STREAM).end(`${eventOf(batchOf([terminalAt(9)]))}event: complete\ndata:\n\n`);
  };
  const over = { transport: 'sse' } as const;

  test.each([
    [502, 'text/html', '<html></html>'],
    [503, 'application/json', '{"errors":[{"message":"x","extensions":{"code":"SHUTTING_DOWN"}}]}'],
    [429, 'application/json', '{"message":"slow down"}'],
    [429, 'application/json', '{"errors":[{"message":"x","extensions":{"code":"REQUEST_RATE_LIMITED"}}]}'],
    [504, 'application/json', '{"errors":[{"message":"x","extensions":{"code":"GATEWAY_TIMEOUT"}}]}'],
    [200, 'text/html', 'welcome to this hotel'],
    [200, 'text/event-stream', ''],
    [200, 'text/event-stream', 'event: next\ndata: {\n\n'],
  ])('reconnects after %d with %s: %s', async (status, type, body) => {
    const url = await startHttp(
      (response) => response.writeHead(status, { 'content-type': type }).end(body),
      ending,
    );
    expect(await numbersOf(url, over)).toEqual([9]);
  });

  test.each([
    [404, 'NOT_FOUND'],
    [403, 'FORBIDDEN'],
  ])('gives up if the first answer is %d, whatever its body', async (status, code) => {
    const url = await startHttp((response) => response.writeHead(status).end('no'));
    const refused = { name: 'StreamRefused', code, message: expect.stringContaining(url) };
    expect(await failureOf(numbersOf(url, over))).toMatchObject(refused);
    expect(await failureOf(numbersOf(url, { transport: 'websocket' }))).toMatchObject(refused);
  });

  test('in a page, gives up on a server that answers, but not to pages of this origin', async () => {
    vi.stubGlobal('location', { href: 'https://page.test/' });
    releaseAfterwards(() => void vi.unstubAllGlobals());
    // A browser shows a page of another origin every answer as a failed connection, except with `no-cors`.
    const url = await startHttp((response) => {
      if (response.req.headers['sec-fetch-mode'] === 'no-cors') response.writeHead(403).end();
      else response.destroy();
    });
    expect(await failureOf(numbersOf(url, over))).toMatchObject({ name: 'StreamRefused', code: 'FORBIDDEN' });
  });

  test('reconnects after a 404 at an address that has answered before', async () => {
    const url = await startHttp(
      (response) => response.writeHead(200, STREAM).end(eventOf(batchOf(eventsFrom(0, 1)))),
      (response) => response.writeHead(404).end('deploying'),
      ending,
    );
    expect(await numbersOf(url, over)).toEqual([0, 9]);
  });

  test('reads events in chunks of any size, with comments, both line ends and data in several lines', async () => {
    const text = [
      ':\n\n',
      eventOf(batchOf(eventsFrom(0, 2))).replaceAll('\n', '\r\n'),
      'id: 4\nretry: 5\nevent:next\n',
      `data: ${JSON.stringify(batchOf(eventsFrom(2, 1))).replace(',', ',\ndata: ')}\n\n`,
      'event: other\ndata: nobody’s\n\n',
      eventOf(batchOf([{ ...eventsFrom(3, 1)[0]!, data: { text: '€𝄞' } } as never, terminalAt(9)])),
    ].join('');
    const bytes = Buffer.from(text);
    const url = await startHttp(async (response) => {
      response.writeHead(200, STREAM);
      for (let place = 0; place < bytes.length; place += 7) {
        response.write(bytes.subarray(place, place + 7));
        await new Promise((resolve) => setImmediate(resolve));
      }
      response.end();
    });
    expect(await numbersOf(url, over)).toEqual([0, 1, 2, 3, 9]);
  });

  test('gives up on a status with the code of a permanent error', async () => {
    const body = '{"errors":[{"message":"other site","extensions":{"code":"FORBIDDEN"}}]}';
    const url = await startHttp((response) =>
      response.writeHead(403, { 'content-type': 'application/json' }).end(body),
    );
    expect(await failureOf(numbersOf(url, over))).toMatchObject({ name: 'StreamRefused', code: 'FORBIDDEN' });
  });
});
