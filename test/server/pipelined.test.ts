import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { connectRaw } from '../support/raw-http.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { startServe } from '../support/runfeed-process.ts';
import { eventually, newRun } from '../support/runs.ts';

const get = (url: string) => `GET /health HTTP/1.1\r\nHost: ${new URL(url).host}\r\n\r\n`;

test('pipelined requests are all answered, however many there are', async () => {
  const server = await startServe();
  const { socket, text } = connectRaw(server.url);
  for (const [sent, all] of [
    [64, 64],
    [2_000, 2_064],
  ] as const) {
    socket.write(get(server.url).repeat(sent));
    await eventually(() => text().split('HTTP/1.1 200 OK').length === all + 1);
  }
});

test('bodies and chunks of pipelined requests are separated correctly', async () => {
  const server = await startServe();
  const { socket, text } = connectRaw(server.url);
  const head = `POST /graphql HTTP/1.1\r\nHost: ${new URL(server.url).host}\r\nContent-Type: application/json\r\n`;
  const bodies = [10, 3_000, 70_000].map((pad) =>
    JSON.stringify({ query: `{ __typename a${pad}: __typename }`, extensions: { pad: ' '.repeat(pad) } }),
  );
  const requests = bodies.flatMap((body) => [
    `${head}Content-Length: ${body.length}\r\n\r\n${body}`,
    `${head}Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
  ]);
  const all = requests.join('').repeat(5);
  // In pieces of odd sizes, so that heads, bodies and following heads are split anywhere.
  for (let at = 0; at < all.length; at += 7_919) {
    socket.write(all.slice(at, at + 7_919));
    if (at % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await eventually(() => text().split('HTTP/1.1 200 OK').length === 5 * requests.length + 1);
  const answered = [...text().matchAll(/"a(\d+)":"Query"/g)].map(([, pad]) => Number(pad));
  expect(answered).toEqual(Array.from({ length: 5 }, () => [10, 10, 3_000, 3_000, 70_000, 70_000]).flat());
});

test('a connection that sends endless requests behind a stream is not read further, and the server keeps serving', async () => {
  const server = await startServe({ NODE_OPTIONS: '--max-old-space-size=128' });
  const runId = await newRun(server.graphql);
  const body = JSON.stringify({ query: `subscription { runEvents(runId: "${runId}") { seq } }` });
  const { socket, received } = connectRaw(server.url);
  socket.write(
    `POST /graphql HTTP/1.1\r\nHost: ${new URL(server.url).host}\r\nContent-Type: application/json\r\n` +
      `Accept: text/event-stream\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  await received(/event-stream/);
  const many = get(server.url).repeat(10_000);
  let isTaken = true;
  // The kernel's buffers accept data, too.
  for (let writes = 0; writes < 200 && isTaken; writes += 1) {
    isTaken = await Promise.race([
      new Promise<boolean>((resolve) => socket.write(many, () => resolve(true))),
      sleep(1_000, false),
    ]);
  }
  expect(isTaken).toBe(false);
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
}, 60_000);

test.each([
  ['requests', (host: string) => `GET /health HTTP/1.1\r\nHost: ${host}\r\n\r\n`],
  ['requests without a Host', () => 'GET / HTTP/1.1\r\n\r\n'],
  [
    'requests with an Expect header',
    (host: string) => `GET / HTTP/1.1\r\nHost: ${host}\r\nExpect: x\r\n\r\n`,
  ],
])(
  'packets with thousands of %s do not fill the heap',
  async (_, of) => {
    const server = await startServe({ NODE_OPTIONS: '--max-old-space-size=128' });
    const many = of(new URL(server.url).host).repeat(4_000);
    const connections = Array.from({ length: 200 }, () => connectRaw(server.url));
    let bytes = 0;
    for (const { socket } of connections) {
      socket.on('data', (answers) => {
        bytes += answers.length;
      });
      socket.write(many);
    }
    // About 30,000 answers.
    await eventually(() => bytes > 6_000_000, 60_000);
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
  },
  90_000,
);

test('requests that Node would answer itself are answered', async () => {
  const server = await startServe();
  const { socket, received } = connectRaw(server.url);
  socket.write('GET / HTTP/1.1\r\n\r\n');
  await received(/^HTTP\/1\.1 400 .*exactly one Host/s);
  socket.write(`GET / HTTP/1.1\r\nHost: ${new URL(server.url).host}\r\nExpect: x\r\n\r\n`);
  await received(/HTTP\/1\.1 417 .*100-continue/s);
});

test('a refused websocket is closed even if its client keeps sending and does not close it', async () => {
  const server = await startServe();
  const { hostname, port, host } = new URL(server.url);
  const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
  releaseAfterwards(() => void socket.destroy());
  socket.on('error', () => {});
  socket.write(
    `GET /nowhere HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n${'x'.repeat(100_000)}`,
  );
  let text = '';
  socket.on('data', (chunk) => {
    text += String(chunk);
  });
  // A write after the server has closed resets the connection.
  const timer = setInterval(() => socket.write('x'), 100);
  await new Promise((resolve) => socket.once('close', resolve));
  clearInterval(timer);
  expect(text).toMatch(/^HTTP\/1\.1 404 /);
});

const HEADERS = Array.from({ length: 120 }, (_, n) => `X-${n}: ${'x'.repeat(90)}\r\n`).join('');

test.each([
  ['requests with many headers', (host: string) => `GET /health HTTP/1.1\r\nHost: ${host}\r\n${HEADERS}\r\n`],
  [
    'a body in chunks of one byte',
    (host: string) =>
      `POST /graphql HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\n${'1\r\nx\r\n'.repeat(16_000)}0\r\n\r\n`,
  ],
  [
    'bodies of known length',
    (host: string) =>
      `POST /graphql HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 16000\r\n\r\n${' '.repeat(16_000)}`,
  ],
])(
  '%s behind a stream wait outside the server, which has room for others',
  async (_what, requestFor) => {
    const server = await startServe({ NODE_OPTIONS: '--max-old-space-size=128' });
    const { host } = new URL(server.url);
    const runId = await newRun(server.graphql);
    const body = JSON.stringify({ query: `subscription { runEvents(runId: "${runId}") { seq } }` });
    const closed: Promise<void>[] = [];
    for (let connection = 0; connection < 200; connection += 1) {
      const raw = connectRaw(server.url);
      closed.push(raw.closed);
      raw.socket.write(
        `POST /graphql HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\n` +
          `Accept: text/event-stream\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
      await raw.received(/event-stream/);
      raw.socket.write(requestFor(host).repeat(15));
    }
    for (let post = 0; post < 100; post += 1) {
      const headers = { 'content-type': 'application/json' };
      const body = JSON.stringify({ query: '{ __typename }', extensions: { pad: ' '.repeat(4_000) } });
      expect((await fetch(server.graphql, { method: 'POST', headers, body })).status).toBe(200);
    }
    // None of the streams had to make room.
    expect(await Promise.race([...closed, sleep(0, 'all open')])).toBe('all open');
  },
  60_000,
);

test('a request behind a stream is answered once the stream has ended', async () => {
  const server = await startServe();
  const { host } = new URL(server.url);
  const runId = await newRun(server.graphql);
  const { socket, received, text } = connectRaw(server.url);
  const post = (query: string, accept: string) => {
    const body = JSON.stringify({ query });
    return `POST /graphql HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nAccept: ${accept}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  };
  socket.write(post(`subscription { runEvents(runId: "${runId}") { seq } }`, 'text/event-stream'));
  await received(/event-stream/);
  socket.write(post('{ second: __typename }', 'application/json'));
  const end = `mutation { endRun(input: { runId: "${runId}" }) { __typename } }`;
  const headers = { 'content-type': 'application/json' };
  await fetch(server.graphql, { method: 'POST', headers, body: JSON.stringify({ query: end }) });
  await received(/"second":"Query"/);
  expect(text().indexOf('event: complete')).toBeLessThan(text().indexOf('"second"'));
});

test.each([
  ['h2c on a chunked post', 'POST', 'h2c', true],
  ['a websocket on a chunked post', 'POST', 'websocket', true],
  ['h2c on a chunked get', 'GET', 'h2c', true],
  ['h2c on a post of known length', 'POST', 'h2c', false],
])('behind an ignored upgrade to %s nothing is executed', async (_what, method, protocol, isChunked) => {
  const server = await startServe();
  const { socket, text, closed } = connectRaw(server.url);
  const { host } = new URL(server.url);
  const post = (marker: string, headers = '', pad = '') => {
    const body = JSON.stringify({ query: `{ ${marker}: __typename }` }) + pad;
    return `POST /graphql HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;
  };
  const body = JSON.stringify({ query: '{ first: __typename }' });
  const framing = isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${body.length}`;
  const framed = isChunked ? `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n` : body;
  const path = method === 'GET' ? '/graphql?query={first:__typename}' : '/graphql';
  const upgrading =
    `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\n` +
    `Connection: Upgrade\r\nUpgrade: ${protocol}\r\n${framing}\r\n\r\n${framed}`;
  // Wherever a part of the connection's bytes ends, one of the requests in the second body begins there.
  const inner = Array.from({ length: 8 }, () => post('smuggled', `X-Pad: ${'p'.repeat(61)}\r\n`)).join('');
  socket.write(upgrading + post('second', '', `${' '.repeat(40)}${inner}`) + post('third'));
  await closed;
  expect(text()).toContain('"first":"Query"');
  expect(text().toLowerCase()).toContain('connection: close');
  expect(text()).not.toMatch(/smuggled|second|third/);
});

test.each([
  ['behind the end of a chunked request', 'Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n', ''],
  ['behind a request whose head arrives in two pieces', '', '\r\n'],
])('an upgrade to a websocket %s, which has no answer yet, is ignored', async (_where, framing, rest) => {
  const server = await startServe();
  const { host } = new URL(server.url);
  const { socket, text, closed } = connectRaw(server.url);
  // Answered once the store has answered.
  const first = `GET /ready HTTP/1.1\r\nHost: ${host}\r\n${framing}`;
  const upgrade =
    `GET /graphql?query={second:__typename} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
    'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n' +
    'Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n';
  if (rest !== '') {
    socket.write(first);
    await sleep(100);
  }
  socket.write(`${rest === '' ? first : rest}${upgrade}${get(server.url)}`);
  await closed;
  const statuses = [...text().matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
  expect(statuses).toEqual(['200', '200']);
  expect(text()).toContain('"second":"Query"');
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
});
