import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { codesOf } from '../support/error-codes.ts';
import { connectRaw, postHead } from '../support/raw-http.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { INGEST, post } from '../support/request.ts';
import { startServe } from '../support/runfeed-process.ts';
import { eventually, ingest, newRun } from '../support/runs.ts';
import { openWebsocket } from '../support/websocket-client.ts';

const MiB = 1024 * 1024;

test('a server with a heap of 128 MB refuses what it has no room for, and keeps serving', async () => {
  const server = await startServe({ NODE_OPTIONS: '--max-old-space-size=128' });
  const { hostname, port } = new URL(server.url);
  // 128 MiB of unfinished requests in total.
  const unfinished = Buffer.alloc(8 * MiB, ' ');
  for (let sockets = 0; sockets < 16; sockets += 1) {
    const socket = connect(Number(port), hostname);
    releaseAfterwards(() => void socket.destroy());
    socket.on('error', () => {});
    socket.resume();
    socket.write(postHead(server.url, unfinished.length + 1));
    socket.write(unfinished);
  }
  const runId = await newRun(server.graphql);
  const text = '€'.repeat(MiB);
  const b = { v: 1, runId, events: [{ seq: 0, tMs: 0, kind: 'assistant_text', data: { text } }] };
  const posted = await Promise.all(
    Array.from({ length: 8 }, () => post(server.graphql, INGEST, { b }).then(({ status }) => status)),
  );
  for (const status of posted) expect([200, 503]).toContain(status);
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
}, 120_000);

test('a server with a heap of 128 MB answers or refuses concurrent large reads, and keeps serving', async () => {
  const server = await startServe({ NODE_OPTIONS: '--max-old-space-size=128' });
  const runId = await newRun(server.graphql);
  for (const from of [0, 50]) {
    const events = Array.from({ length: 50 }, (_, event) => ({
      seq: from + event,
      tMs: 0,
      kind: 'notification',
      data: { text: 'x'.repeat(40_000) },
    }));
    const { status } = await post(server.graphql, INGEST, { b: { v: 1, runId, events } });
    expect(status).toBe(200);
  }
  const read = (first: number) =>
    post(server.graphql, `{ run(id: "${runId}") { events(first: ${first}) { nodes { seq data } } } }`);
  const codes = await Promise.all([25, 50, 100, 100, 100, 100, 100, 100, 100, 100].map(read));
  for (const { body } of codes) {
    if (body.errors) expect(['OVERLOADED', 'RESPONSE_TOO_LARGE']).toContain(codesOf(body.errors)[0]);
  }
  expect((await read(25)).body.errors).toBeUndefined();
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
}, 120_000);

test('many clients that request GraphiQL and do not read it share one page', async () => {
  const server = await startServe({ NODE_OPTIONS: '--max-old-space-size=128' });
  await (await fetch(`${server.url}/graphiql`)).text();
  const connections = Array.from({ length: 200 }, () => connectRaw(server.url));
  for (const { socket } of connections) {
    socket.write(`GET /graphiql HTTP/1.1\r\nHost: ${new URL(server.url).host}\r\n\r\n`);
    socket.once('data', () => socket.pause());
  }
  await Promise.all(connections.map(({ received }) => received(/200 OK/)));
  // Their answers share the page's memory, so none of them has to make room.
  for (const { socket } of connections.slice(0, 5)) {
    socket.resume();
    await eventually(() => socket.bytesRead > 8 * MiB, 20_000);
  }
  // A page has 9 MB.
  const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1];
  expect(Number(peak) / 1024).toBeLessThan(700);
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
}, 120_000);

test.each([
  ['large ones', 15_000],
  ['small ones', 0],
])(
  'a server with a heap of 128 MB bounds open subscriptions across all sockets: %s',
  async (_, characters) => {
    const server = await startServe({ NODE_OPTIONS: '--max-old-space-size=128' });
    await newRun(server.graphql, 'watched');
    const query = `subscription { runEvents(runId: "watched", after: 0) { seq } } #${'x'.repeat(characters)}`;
    const sockets = await Promise.all(Array.from({ length: 20 }, () => openWebsocket(server.graphql)));
    for (const client of sockets) for (let n = 0; n < 900; n += 1) client.subscribe(`s${n}`, query);
    const refused = await Promise.race(sockets.map((client) => client.closed(60_000)));
    expect(refused).toEqual({ code: 1013, reason: 'Try again later' });
    const newcomer = await openWebsocket(server.graphql);
    newcomer.subscribe('first', query);
    newcomer.send({ type: 'ping' });
    expect((await newcomer.next()).type).toBe('pong');
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
  },
  120_000,
);

/** A document that no other subscription has, by default of about 1,000 tokens. */
function ownDocument(number: number, length = 48): string {
  const fields = Array.from(
    { length },
    (_, field) => `a${field}_${number}: seq @skip(if: $s) @include(if: $i)`,
  );
  return `subscription ($s: Boolean = false, $i: Boolean = true) { runEvents(runId: "watched") { ${fields.join(' ')} } }`;
}

test.each([
  ['first ones of their sockets', 600, 1],
  ['many of each socket', 10, 100],
])(
  'a server with a heap of 128 MB bounds the documents of open subscriptions: %s',
  async (_, sockets, each) => {
    const server = await startServe({ NODE_OPTIONS: '--max-old-space-size=128' });
    await newRun(server.graphql, 'watched');
    let refused = 0;
    for (let socket = 0; socket < sockets; socket += 1) {
      const client = await openWebsocket(server.graphql);
      for (let n = 0; n < each; n += 1) client.subscribe(`s${n}`, ownDocument(socket * each + n));
      client.send({ type: 'ping' });
      for (let message = await client.next(); message.type !== 'pong'; message = await client.next()) {
        expect(codesOf(message.payload)).toEqual(['OVERLOADED']);
        refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(0);
    // A small first one always fits.
    const newcomer = await openWebsocket(server.graphql);
    newcomer.subscribe('small', 'subscription { runEvents(runId: "watched") { seq } }');
    await ingest(server.graphql, 'watched', [
      { seq: 0, tMs: 0, kind: 'assistant_text', data: { text: 'hello' } },
    ]);
    expect((await newcomer.next()).type).toBe('next');
  },
  120_000,
);

test('a server with a heap of 128 MB bounds the documents of open event streams', async () => {
  const server = await startServe({ NODE_OPTIONS: '--max-old-space-size=128' });
  await newRun(server.graphql, 'watched');
  const streams = new AbortController();
  releaseAfterwards(() => streams.abort());
  let refused = 0;
  for (let stream = 0; stream < 600; stream += 1) {
    const headers = { 'content-type': 'application/json', accept: 'text/event-stream' };
    const body = JSON.stringify({ query: ownDocument(stream) });
    const { body: answer } = await fetch(server.graphql, {
      method: 'POST',
      headers,
      body,
      signal: streams.signal,
    });
    const first = await answer!.getReader().read();
    if (Buffer.from(first.value ?? []).includes('OVERLOADED')) refused += 1;
  }
  expect(refused).toBeGreaterThan(0);
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
}, 120_000);

const SMALLEST = 'subscription { runEvents(runId: "watched") { seq } }';

test('clients with many open subscriptions leave room for the eight of a client with few', async () => {
  const server = await startServe({ NODE_OPTIONS: '--max-old-space-size=128' });
  await newRun(server.graphql, 'watched');
  for (let socket = 0; socket < 60; socket += 1) {
    const client = await openWebsocket(server.graphql);
    // From large to small, so that they fill whatever room they can get.
    for (let n = 0; n < 31; n += 1)
      client.subscribe(`s${n}`, n < 20 ? ownDocument(socket * 31 + n, 48 - 2 * n) : SMALLEST);
    client.send({ type: 'ping' });
    for (let message = await client.next(); message.type !== 'pong'; message = await client.next())
      expect(codesOf(message.payload)).toEqual(['OVERLOADED']);
  }
  const honest = await openWebsocket(server.graphql);
  const ids = Array.from({ length: 8 }, (_, id) => `s${id}`);
  const fields = Array.from({ length: 20 }, (_, field) => `a${field}: seq`).join(' ');
  for (const id of ids) honest.subscribe(id, `subscription { runEvents(runId: "watched") { ${fields} } }`);
  await ingest(server.graphql, 'watched', [
    { seq: 0, tMs: 0, kind: 'assistant_text', data: { text: 'hello' } },
  ]);
  const told: string[] = [];
  for (const _ of ids) {
    const { id, type } = await honest.next();
    told.push(`${id} ${type}`);
  }
  expect(told.sort()).toEqual(ids.map((id) => `${id} next`));
}, 120_000);
