import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import { totalsOf } from '../../src/config/totals.ts';
import type { Reader } from '../../src/feed/cursor.ts';
import type { SharedFeed } from '../../src/graphql/feed/shared.ts';
import { createLoad } from '../../src/server/load/load.ts';
import { pump } from '../../src/server/operations/pump.ts';
import { pumpFeed } from '../../src/server/websocket/feed-pump.ts';
import { messageStart, writeNextMessages } from '../../src/server/websocket/frames.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { startTurnMeter } from '../support/turn-meter.ts';

const LOAD = createLoad(totalsOf());

const RUNS = Number(process.env.RUNFEED_PROOF_RUNS ?? 300);

/** Both ends of one websocket. A real receiver parses everything written to the server's stream. */
interface Line {
  readonly server: WebSocket;
  readonly stream: Socket;
  /** Returns the next `count` messages as text. */
  receive(count: number): Promise<string[]>;
}

let line: Line;

beforeAll(async () => {
  line = await connect();
});

async function connect(): Promise<Line> {
  const sockets = new WebSocketServer({ noServer: true });
  const http = createServer();
  const accepted = new Promise<{ server: WebSocket; stream: Socket }>((resolve) => {
    http.on('upgrade', (request: IncomingMessage, stream: Socket, head: Buffer) =>
      sockets.handleUpgrade(request, stream, head, (server) => resolve({ server, stream })),
    );
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const client = new WebSocket(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`);
  releaseAfterwards(() => {
    client.terminate();
    http.close();
  });
  const arrived: string[] = [];
  let changed = () => {};
  let broken: Error | null = null;
  client.on('message', (data: RawData, isBinary: boolean) => {
    arrived.push(isBinary ? 'a binary message' : String(data));
    changed();
  });
  client.on('error', (error) => {
    broken = error;
    changed();
  });
  const ends = await accepted;
  return {
    ...ends,
    receive: async (count) => {
      while (arrived.length < count) {
        if (broken) throw broken;
        await new Promise<void>((resolve) => {
          changed = resolve;
        });
      }
      return arrived.splice(0, count);
    },
  };
}

const message = (id: string, payload: string) =>
  `{"id":${JSON.stringify(id)},"type":"next","payload":${payload}}`;

/** Returns a payload that makes a message of exactly this many bytes with this id. */
function payloadFor(id: string, messageBytes: number): string {
  const rest = messageBytes - Buffer.byteLength(message(id, '""'));
  return JSON.stringify('x'.repeat(Math.max(0, rest)));
}

/** Any operation id that a client may choose: quotes, U+0000, half a surrogate pair, empty. */
const ids = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom('', '"', '\\"', '\u0000', '\ud800', '€😀'),
);

/** Sizes around every point where a frame's header, or the way to write it, changes. */
const sizes = fc.oneof(
  fc.integer({ min: 0, max: 300 }),
  fc.integer({ min: 120, max: 131 }),
  fc.integer({ min: 16 * 1024 - 4, max: 16 * 1024 + 80 }),
  fc.integer({ min: 65_530, max: 65_541 }),
  fc.constant(200_000),
);

const payloads = fc.oneof(
  fc.json(),
  fc.string({ unit: 'binary' }).map((text) => JSON.stringify(text)),
);

describe('messages written as frames', () => {
  test('arrive unchanged, whatever their sizes and ids', async () => {
    const portion = fc.array(fc.oneof(sizes, payloads), { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(ids, portion, async (id, parts) => {
        const texts = parts.map((part) => (typeof part === 'string' ? part : payloadFor(id, part)));
        const given = texts.map((text) => Buffer.from(text));
        writeNextMessages(line.stream, messageStart(id), given);
        // JSON escapes a lone surrogate, so both sides have the same bytes.
        expect(await line.receive(parts.length)).toEqual(texts.map((text) => message(id, text)));
        expect(given.map(String)).toEqual(texts);
      }),
      { numRuns: RUNS },
    );
  });

  test('arrive with exactly the lengths at which the header grows', async () => {
    const lengths = [125, 126, 127, 65_535, 65_536, 65_537];
    const texts = lengths.map((length) => payloadFor('1', length));
    expect(texts.map((text) => Buffer.byteLength(message('1', text)))).toEqual(lengths);
    writeNextMessages(
      line.stream,
      messageStart('1'),
      texts.map((text) => Buffer.from(text)),
    );
    expect(await line.receive(lengths.length)).toEqual(texts.map((text) => message('1', text)));
  });

  test('arrive between those that the websocket itself sends, corked or not', async () => {
    const part = fc.oneof(
      fc.record({ by: fc.constant('socket' as const), size: sizes }),
      fc.record({ by: fc.constant('frames' as const), size: sizes }),
      fc.constant({ by: 'ping' as const, size: 0 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 12 }), fc.boolean(), async (parts, corked) => {
        const expected: string[] = [];
        if (corked) line.stream.cork();
        for (const { by, size } of parts) {
          if (by === 'ping') {
            line.server.ping();
            continue;
          }
          const payload = payloadFor(by, size);
          expected.push(message(by, payload));
          if (by === 'socket') line.server.send(message(by, payload));
          else writeNextMessages(line.stream, messageStart(by), [Buffer.from(payload)]);
        }
        if (corked) line.stream.uncork();
        expect(await line.receive(expected.length)).toEqual(expected);
      }),
      { numRuns: RUNS },
    );
  });
});

test('a replay in many small portions yields to others', async () => {
  const portions = 10_000;
  const feed: SharedFeed = {
    open: async () => {
      let portion = 0;
      return {
        weight: () => 0,
        take: () => (portion < portions ? [Buffer.from(String(portion++))] : null),
        ended: () => portion === portions,
        ready: async () => {},
        close: () => {},
      };
    },
  };
  let turns = 0;
  let counting = setImmediate(function turn() {
    turns += 1;
    counting = setImmediate(turn);
  });
  // Nothing else reads meanwhile, and the kernel accepts everything, so the pump itself must yield.
  const pumped = pumpFeed(feed, '1', line.server, line.stream, LOAD).next();
  await pumped;
  clearImmediate(counting);
  expect(turns).toBeGreaterThan(portions / 100);
  expect(await line.receive(portions)).toHaveLength(portions);
});

test('different payloads are written with a bounded number of bytes per event-loop turn, however many subscribers wait', async () => {
  const bytes = 1024 * 1024;
  const written = startTurnMeter();
  let news = () => {};
  const happened = new Promise<void>((resolve) => {
    news = resolve;
  });
  const follow = async () => {
    let left = 2;
    const reader: Reader<readonly Buffer[]> = {
      weight: () => (left > 0 ? bytes : 0),
      take: () => {
        if (left === 0) return null;
        left -= 1;
        written.add(bytes);
        return [Buffer.alloc(0)];
      },
      ended: () => left === 0,
      ready: () => happened,
      close: () => {},
    };
    // Woken by the first wait, like all subscribers of a run.
    const waiting = {
      ...reader,
      take: () => (waited ? reader.take() : null),
      weight: () => (waited ? reader.weight() : 0),
    };
    let waited = false;
    void happened.then(() => {
      waited = true;
    });
    await pump(waiting, { owner: {}, isOpen: () => true, write: () => null }, LOAD);
    expect(left).toBe(0);
  };
  const all = Array.from({ length: 100 }, follow);
  news();
  await Promise.all(all);
  expect(written.most()).toBeLessThanOrEqual(13 * bytes);
  expect(written.most()).toBeGreaterThan(bytes);
});
