import { once } from 'node:events';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { totalsOf } from '../../src/config/totals.ts';
import { createTurns } from '../../src/lib/waiting/turns.ts';
import { readInParts } from '../../src/server/load/reading.ts';
import { drained } from '../../src/server/load/unsent.ts';
import { createPong } from '../../src/server/websocket/pong.ts';
import { connectRaw } from '../support/raw-http.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { post } from '../support/request.ts';
import { eventually, newRun } from '../support/runs.ts';
import { startTestServer } from '../support/server.ts';
import { startTransports } from '../support/transports.ts';
import { startTurnMeter } from '../support/turn-meter.ts';
import { openWebsocket, streamOf } from '../support/websocket-client.ts';

const MiB = 1024 * 1024;
const VERSION = '{ server { version } }';

/** Returns a client frame with a payload of at most 125 bytes and a mask of zeros. */
function frame(first: number, payload = ''): Buffer {
  return Buffer.from([first, 0x80 | payload.length, 0, 0, 0, 0, ...Buffer.from(payload)]);
}

describe('frames and chunks of a byte each', () => {
  test('are read in many event-loop turns: unsolicited frames', async () => {
    const { graphql } = await startTransports();
    const client = await openWebsocket(graphql);
    const { turns } = startTurnMeter();
    streamOf(client).write(Buffer.concat(Array.from({ length: 400_000 }, () => frame(0x8a))));
    client.send({ type: 'ping' });
    expect((await client.next(60_000)).type).toBe('pong');
    expect(turns()).toBeGreaterThan(15);
  });

  test.each([
    ['a body that is read', 'application/json', 200],
    ['a body that is refused', 'text/plain', 415],
  ])('are read in many event-loop turns: %s', async (_, type, status) => {
    const server = await startTestServer();
    releaseAfterwards(() => server.close());
    const { socket, text, received } = connectRaw(server.url);
    await once(socket, 'connect');
    const body = `${' '.repeat(200_000)}${JSON.stringify({ query: VERSION })}`;
    const chunks = [...body].map((byte) => `1\r\n${byte}\r\n`).join('');
    const head = (length: string) =>
      `POST /graphql HTTP/1.1\r\nHost: ${new URL(server.url).host}\r\nContent-Type: ${type}\r\n${length}\r\n\r\n`;
    const { turns } = startTurnMeter();
    socket.write(`${head('Transfer-Encoding: chunked')}${chunks}0\r\n\r\n${head('Content-Length: 2')}{}`);
    // The second answer arrives once the first body has been read.
    await received(/HTTP\/1\.1 .*HTTP\/1\.1 /s);
    expect(text().split(' ')[1]).toBe(String(status));
    expect(turns()).toBeGreaterThan(20);
  });

  test('are counted with the memory that they take: pieces of unfinished messages', async () => {
    const totals = { ...totalsOf(), requestBytes: 4 * MiB };
    const { graphql, load } = await startTransports((store) => store, undefined, totals);
    const clients = await Promise.all(Array.from({ length: 5 }, () => openWebsocket(graphql)));
    const pieces = Buffer.concat([frame(0x01, 'a'), ...Array.from({ length: 4_000 }, () => frame(0, 'a'))]);
    for (const client of clients) streamOf(client).write(pieces);
    expect(await Promise.race(clients.map((client) => client.closed(60_000)))).toMatchObject({ code: 1013 });
    expect(load.intake.heldBytes()).toBeLessThanOrEqual(4 * MiB);
    for (const { socket } of clients) socket.terminate();
    await eventually(() => load.intake.heldBytes() === 0);
    expect((await post(graphql, VERSION)).status).toBe(200);
  });
});

test('small messages of many sockets are read in event-loop turns, one part per socket in rotation', async () => {
  const { graphql, load } = await startTransports();
  const clients = await Promise.all(Array.from({ length: 12 }, () => openWebsocket(graphql)));
  const messages = Buffer.concat(Array.from({ length: 12_000 }, () => frame(0x81, '{"type":"pong"}')));
  const { turns } = startTurnMeter();
  for (const client of clients) {
    streamOf(client).write(messages);
    client.send({ type: 'ping' });
  }
  const newcomer = await openWebsocket(graphql);
  newcomer.send({ type: 'ping' });
  await newcomer.next(60_000);
  expect(load.intake.heldBytes()).toBeLessThan(MiB);
  await Promise.all(clients.map((client) => client.next(60_000)));
  // A turn reads for 10 ms, which is far less than a tenth of everything even on the fastest machine.
  expect(turns()).toBeGreaterThan(10);
});

describe('pings', () => {
  test('are answered in order, and pongs to a peer that does not read wait outside its stream', async () => {
    let read = () => {};
    const hasRead = new Promise<void>((resolve) => {
      read = resolve;
    });
    const write = (_chunk: unknown, _encoding: string, done: () => void) =>
      void hasRead.then(() => setImmediate(done));
    const stream = new Duplex({ highWaterMark: 100, write, read: () => {} });
    stream.on('data', () => {}).on('end', () => {});
    const turns = createTurns({ costPerTurn: 1, maxWaiting: 1 });
    const reading = readInParts(stream as Socket, { quick: turns, slow: turns }, ({ length }) => length);
    const sent: string[] = [];
    const pong = createPong(reading, (text) => {
      sent.push(text);
      stream.write(text);
    });
    stream.write('x'.repeat(200));
    const pings = Array.from({ length: 1_000 }, (_, ping) => ping);
    for (const ping of pings) {
      pong({ ping });
      void drained(stream);
    }
    expect(sent).toEqual([]);
    expect(stream.isPaused()).toBe(true);
    expect(stream.listenerCount('drain')).toBe(1);
    read();
    await eventually(() => sent.length === pings.length);
    expect(sent).toEqual(pings.map((ping) => JSON.stringify({ type: 'pong', payload: { ping } })));
    await eventually(() => !stream.isPaused());
  });

  test('get short payloads back', async () => {
    const { graphql } = await startTransports();
    const client = await openWebsocket(graphql);
    const short = { at: 1, text: 'ä' };
    client.send({ type: 'ping', payload: short });
    expect(await client.next()).toEqual({ type: 'pong', payload: short });
    client.send({ type: 'ping', payload: { text: 'x'.repeat(5_000) } });
    expect(await client.next()).toEqual({ type: 'pong' });
    client.send({ type: 'ping' });
    expect(await client.next()).toEqual({ type: 'pong' });
  });
});

test('an operation that waits for its turn is not started if its socket closes', async () => {
  const { graphql, feed } = await startTransports();
  const runId = await newRun(graphql);
  // Long directives force the subscription to be executed individually.
  const names = Array.from({ length: 9 }, (_, name) => `v${name}`.padEnd(125, 'x'));
  const variables = Object.fromEntries(names.map((name) => [name, true]));
  const fields = names.map((name, field) => `a${field}: seq @include(if: $${name})`);
  const query = `subscription (${names.map((name) => `$${name}: Boolean!`)}) { runEvents(runId: "${runId}") { ${fields} } }`;
  const waves = async (of: number) => {
    const clients = await Promise.all(Array.from({ length: of }, () => openWebsocket(graphql)));
    const payload = { query, variables, extensions: { pad: 'p'.repeat(6_500) } };
    for (const client of clients) client.send({ id: '1', type: 'subscribe', payload });
    for (const { socket } of clients) socket.terminate();
  };
  for (let wave = 0; wave < 3; wave += 1) await waves(100);
  const last = await openWebsocket(graphql);
  last.subscribe('1', `subscription { runEvents(runId: "${runId}", after: 9) { seq } }`);
  await eventually(() => feed.watchedRuns() === 1);
  last.socket.terminate();
  await eventually(() => feed.watchedRuns() === 0);
});
