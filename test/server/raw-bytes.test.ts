import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { type ServeProcess, startServe } from '../support/runfeed-process.ts';
import { ingest, newRun } from '../support/runs.ts';

/** The full proof sends a million requests. */
const RUNS = Number(process.env.RUNFEED_PROOF_RUNS ?? 60);

let server: ServeProcess;

// In a separate process with a small heap, which ends if any input is kept in memory.
beforeAll(async () => {
  server = await startServe({ NODE_OPTIONS: '--max-old-space-size=128' });
});

const junk = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
const json = fc.oneof(
  fc.json().map((text) => Buffer.from(text)),
  fc
    .constantFrom(
      '{"query":"{server{version}}"}',
      '{"query":',
      '[[[[',
      '"\\',
      '{"id":"1","type":"subscribe"}',
    )
    .map((text) => Buffer.from(text)),
  junk,
);

/** A nearly valid request: each part of it may be wrong. */
const httpRequest = fc
  .record({
    method: fc.constantFrom('POST', 'GET', 'OPTIONS', 'P\u00d6ST', ''),
    path: fc.constantFrom('/graphql', '/graphql?query={server{version}}', '/health', '/graphiql', '%', '//'),
    header: fc.constantFrom(
      'Accept: text/event-stream',
      'Content-Encoding: gzip',
      'Expect: 100-continue',
      'Connection: close',
      'Upgrade: h2c',
      'X-Long: x',
    ),
    type: fc.constantFrom('application/json', 'application/json; charset=utf-16', 'text/plain', ''),
    length: fc.constantFrom('right', 'none', 'chunked', 'short', 'long', 'wrong'),
    body: json,
    again: fc.boolean(),
  })
  .map(({ method, path, header, type, length, body, again }) => {
    const lengths = {
      right: `Content-Length: ${body.length}`,
      none: 'X-None: 1',
      chunked: 'Transfer-Encoding: chunked',
      short: `Content-Length: ${Math.max(0, body.length - 1)}`,
      long: `Content-Length: ${body.length + 10}`,
      wrong: 'Content-Length: -1',
    };
    const { host } = new URL(server.url);
    const head = `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: ${type}\r\n${header}\r\n${lengths[length]}\r\n\r\n`;
    const framed =
      length === 'chunked'
        ? Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n0\r\n\r\n')])
        : body;
    const bytes = Buffer.concat([Buffer.from(head, 'latin1'), framed]);
    return again ? Buffer.concat([bytes, bytes]) : bytes;
  });

const frame = fc
  .record({
    first: fc.oneof(fc.constantFrom(0x81, 0x01, 0x00, 0x80, 0x89, 0x8a, 0x88, 0x82), fc.nat(255)),
    payload: json,
    masked: fc.boolean(),
    wrong: fc.constantFrom(0, 0, 0, 1),
  })
  .map(({ first, payload, masked, wrong }) => {
    const length = Math.min(payload.length, 0xffff) + wrong;
    const head = length < 126 ? [first, length] : [first, 126, length >> 8, length & 0xff];
    if (masked) head[1]! |= 0x80;
    return Buffer.concat([Buffer.from(head), Buffer.alloc(masked ? 4 : 0), payload.subarray(0, 0xffff)]);
  });

function upgrade(): Buffer {
  const key = randomBytes(16).toString('base64');
  const { host } = new URL(server.url);
  return Buffer.from(
    `GET /graphql HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${key}\r\n` +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n',
  );
}

const init = Buffer.concat([
  Buffer.from([0x81, 0x80 | 26, 0, 0, 0, 0]),
  Buffer.from('{"type":"connection_init"}'),
]);

/** Sends the bytes and waits until the server has ended the connection. */
async function send(bytes: Buffer): Promise<void> {
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  socket.resume();
  socket.end(bytes);
  await once(socket, 'close');
}

test('no bytes over HTTP or a websocket stop the server from serving', async () => {
  const anything = fc.oneof(
    httpRequest,
    junk,
    fc.array(frame, { maxLength: 6 }).map((frames) => Buffer.concat([upgrade(), init, ...frames])),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(anything, { minLength: 1, maxLength: 10 }), async (inputs) => {
      await Promise.all(inputs.map(send));
    }),
    { numRuns: Math.ceil(RUNS / 10) },
  );
  const runId = await newRun(server.graphql);
  const event = { seq: 0, tMs: 0, kind: 'notification', data: {} };
  expect(await ingest(server.graphql, runId, [event])).toMatchObject({ accepted: 1 });
}, 3_600_000);
