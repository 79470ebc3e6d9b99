import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { connectRaw, postHead } from '../support/raw-http.ts';
import { startServe } from '../support/runfeed-process.ts';
import { eventually } from '../support/runs.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Returns a client frame with a mask of zeros. */
function frame(first: number, payload = ''): Buffer {
  const { length } = payload;
  const size = length < 126 ? [0x80 | length] : [0x80 | 126, length >> 8, length & 0xff];
  return Buffer.from([first, ...size, 0, 0, 0, 0, ...Buffer.from(payload)]);
}

const upgradeHead = (url: string) =>
  `GET /graphql HTTP/1.1\r\nHost: ${new URL(url).host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n' +
  'Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n';

const message = (content: unknown) => frame(0x81, JSON.stringify(content));

describe('a websocket', () => {
  test.each([
    ['in one packet', Number.MAX_SAFE_INTEGER],
    ['byte by byte', 1],
    ['split anywhere', 701],
  ])('gets everything that arrives with its request once and in order: %s', async (_, size) => {
    const server = await startServe();
    const { socket, text, received, closed } = connectRaw(server.url);
    socket.setNoDelay();
    const pings = Array.from({ length: 150 }, (_, n) => [
      message({ type: 'ping', payload: { n } }),
      // A fragmented message with an unsolicited pong between the fragments.
      frame(0x01, '{"type":"ping",'),
      frame(0x8a),
      frame(0x80, `"payload":{"n":${n + 1_000}}}`),
    ]);
    const long = message({ type: 'ping', payload: { n: 'long', pad: 'x'.repeat(5_000) } });
    const all = Buffer.concat([
      Buffer.from(upgradeHead(server.url)),
      message({ type: 'connection_init' }),
      ...pings.flat(),
      long,
    ]);
    for (let at = 0; at < all.length; at += size) {
      socket.write(all.subarray(at, at + size));
      if (at % 5 === 0) await turn();
    }
    await received(/\{"type":"pong"\}/);
    // ws accepts nothing after a close frame.
    socket.write(Buffer.concat([frame(0x88), frame(0x81, 'nobody reads this')]));
    await closed;
    const answered = [...text().matchAll(/"n":(\d+)/g)].map(([, n]) => Number(n));
    expect(answered).toEqual(pings.flatMap((_, n) => [n, n + 1_000]));
    expect(text()).toContain('connection_ack');
    expect(text().indexOf('{"type":"pong"}')).toBeGreaterThan(text().indexOf('"n":1149'));
  });

  test('gets a pong for each of its pings, however many come at once', async () => {
    const server = await startServe();
    const { socket, text } = connectRaw(server.url);
    const pings = Array.from({ length: 500 }, () => frame(0x89, 'p'));
    socket.write(Buffer.concat([Buffer.from(upgradeHead(server.url)), ...pings]));
    await eventually(() => text().split('\x8a\x01p').length === 501);
  });

  test('requested behind other requests is read', async () => {
    const server = await startServe();
    const { socket, received } = connectRaw(server.url);
    const get = `GET /health HTTP/1.1\r\nHost: ${new URL(server.url).host}\r\n\r\n`;
    const init = message({ type: 'connection_init' });
    socket.write(Buffer.concat([Buffer.from(get.repeat(15) + upgradeHead(server.url)), init]));
    await received(/connection_ack/);
  });

  test('with a malformed frame is closed, whatever else arrives with it', async () => {
    const server = await startServe();
    const { socket, text, closed } = connectRaw(server.url);
    const broken = Buffer.from([0xc1, 0x80, 0, 0, 0, 0]);
    const init = message({ type: 'connection_init' });
    socket.write(Buffer.concat([Buffer.from(upgradeHead(server.url)), init, broken, init, init]));
    await closed;
    // 1002: a protocol error.
    expect(text()).toContain('\x03\xea');
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
  });
});

test('requests of any kind on one connection are answered in order, wherever their bytes are split', async () => {
  const server = await startServe();
  const get = `GET /health HTTP/1.1\r\nHost: ${new URL(server.url).host}\r\n\r\n`;
  const body = (pad: number) =>
    JSON.stringify({ query: '{ __typename }', extensions: { pad: ' '.repeat(pad) } });
  const chunked = (text: string, size: number) =>
    `${postHead(server.url, 0).replace('Content-Length: 0', 'Transfer-Encoding: chunked')}${[
      ...(text.match(new RegExp(`.{1,${size}}`, 'gs')) ?? []),
    ]
      .map((part) => `${part.length.toString(16)}\r\n${part}\r\n`)
      .join('')}0\r\n\r\n`;
  const request = fc.oneof(
    fc.constant([get, '200 {"status":"ok"}'] as const),
    fc.constant([get.replace('/health', '/nowhere'), '404'] as const),
    fc
      .integer({ min: 0, max: 90_000 })
      .map((pad) => [`${postHead(server.url, body(pad).length)}${body(pad)}`, '200 {"data"'] as const),
    fc
      .tuple(fc.integer({ min: 0, max: 3_000 }), fc.integer({ min: 1, max: 4_000 }))
      .map(([pad, size]) => [chunked(body(pad), size), '200 {"data"'] as const),
    // A body that is not read.
    fc
      .integer({ min: 1, max: 90_000 })
      .map(
        (length) =>
          [
            `${postHead(server.url, length).replace('application/json', 'text/plain')}${'x'.repeat(length)}`,
            '415',
          ] as const,
      ),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(request, { minLength: 1, maxLength: 40 }),
      fc.array(fc.integer({ min: 1, max: 100_000 }), { minLength: 1, maxLength: 8 }),
      async (requests, sizes) => {
        const { socket, text } = connectRaw(server.url);
        socket.setNoDelay();
        const all = requests.map(([sent]) => sent).join('');
        for (let at = 0, next = 0; at < all.length; next += 1) {
          const size = sizes[next % sizes.length]!;
          socket.write(all.slice(at, at + size));
          at += size;
          // Small pieces would take minutes at one turn each.
          if (size > 100 || next % 100 === 0) await turn();
        }
        const answers = () =>
          text()
            .split(/HTTP\/1\.1 (?=[245])/)
            .slice(1);
        await eventually(() => answers().length >= requests.length && /[}\n]$/.test(text()));
        expect(answers().map((answer) => answer.slice(0, 3))).toEqual(
          requests.map(([, answer]) => answer.slice(0, 3)),
        );
        requests.forEach(([, answer], index) => {
          expect(answers()[index]).toContain(answer.slice(4));
        });
        socket.destroy();
      },
    ),
    { numRuns: 40 },
  );
});
