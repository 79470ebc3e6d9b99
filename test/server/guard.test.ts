import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunningServer } from '../../src/server/server.ts';
import { codesOf } from '../support/error-codes.ts';
import { ADMIN_TOKEN } from '../support/operator-front.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { startTestServer } from '../support/server.ts';
import { openWebsocket } from '../support/websocket-client.ts';

const PUBLIC_HOST = 'runs.example.org';
const PUBLIC_URL = `https://${PUBLIC_HOST}`;
const MUTATION = 'mutation { createRun(input: { id: "planted", provider: openai }) { __typename } }';

let server: RunningServer & { readonly graphql: string };

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'runfeed-guard-'));
  releaseAfterwards(() => rm(folder, { recursive: true, force: true }));
  const ADMIN_TOKEN_FILE = join(folder, 'admin-token');
  await writeFile(ADMIN_TOKEN_FILE, ADMIN_TOKEN);
  server = await startTestServer({ PUBLIC_URL, ADMIN_TOKEN_FILE });
});

afterAll(() => server.close());

interface Raw {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
}

const TOKEN = { authorization: `Bearer ${ADMIN_TOKEN}` };

/**
 * Sends a request with the admin token and exactly these headers, including Host, which fetch would not
 * allow.
 */
function send(method: string, given: Record<string, string>, body = '', path = '/graphql'): Promise<Raw> {
  const headers = { ...TOKEN, ...given };
  return new Promise((resolve, reject) => {
    const sent = request(server.url + path, { method, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
      );
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

async function planted(): Promise<boolean> {
  const answer = await send(
    'POST',
    { 'content-type': 'application/json' },
    JSON.stringify({ query: '{ run(id: "planted") { id } }' }),
  );
  return JSON.parse(answer.text).data.run !== null;
}

function expectRefusal({ status, headers, text }: Raw, expected: number, code: string): void {
  expect(status).toBe(expected);
  expect(codesOf(JSON.parse(text).errors)).toEqual([code]);
  expect(headers['access-control-allow-origin']).toBeUndefined();
}

const foreign: readonly [string, () => Record<string, string>][] = [
  ['a request from another site', () => ({ 'sec-fetch-site': 'cross-site' })],
  ['a request from another port of localhost', () => ({ 'sec-fetch-site': 'same-site' })],
  [
    'a frame on another site',
    () => ({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' }),
  ],
  ['the public Host with the other scheme', () => ({ host: PUBLIC_HOST, origin: `http://${PUBLIC_HOST}` })],
  ['a Host that only looks like a loopback address', () => ({ host: '127.999.1.1' })],
  ['an Origin of another site', () => ({ origin: 'https://evil.example' })],
  ['the Origin null', () => ({ origin: 'null' })],
  ['an Origin of another port of this machine', () => ({ origin: 'http://127.0.0.1:1' })],
  ['an Origin that begins like the public one', () => ({ origin: `${PUBLIC_URL}.evil.example` })],
  ['a Host that was rebound to this machine', () => ({ host: 'evil.example' })],
  ['a Host that begins like a loopback address', () => ({ host: '127.0.0.1.evil.example' })],
  ['an own Origin under a rebound Host', () => ({ host: 'evil.example', origin: 'http://evil.example' })],
];

describe('a request that another web page could send', () => {
  for (const [what, headers] of foreign) {
    test(`${what} is refused over HTTP, SSE, websocket and on every page`, async () => {
      const json = { 'content-type': 'application/json', ...headers() };
      expectRefusal(await send('POST', json, JSON.stringify({ query: MUTATION })), 403, 'FORBIDDEN');
      const stream = { ...json, accept: 'text/event-stream' };
      const subscription = JSON.stringify({ query: 'subscription { runUpdated { id } }' });
      expectRefusal(await send('POST', stream, subscription), 403, 'FORBIDDEN');
      const query = `/graphql?query=${encodeURIComponent('{ server { version } }')}`;
      expectRefusal(await send('GET', headers(), '', query), 403, 'FORBIDDEN');
      expectRefusal(await send('GET', headers(), '', '/graphiql'), 403, 'FORBIDDEN');
      await expect(openWebsocket(server.graphql, { headers: { ...TOKEN, ...headers() } })).rejects.toThrow(
        '403',
      );
      expect(await planted()).toBe(false);
    });
  }

  test('a preflight is refused without any permission', async () => {
    const asking = { origin: 'https://evil.example', 'access-control-request-method': 'POST' };
    expectRefusal(await send('OPTIONS', asking), 403, 'FORBIDDEN');
    const { origin: _origin, ...silent } = asking;
    expectRefusal(await send('OPTIONS', silent), 405, 'METHOD_NOT_ALLOWED');
  });

  const LINK = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };

  test('a link on another site opens GraphiQL and executes nothing', async () => {
    expect((await send('GET', LINK, '', '/graphiql')).status).toBe(200);
    expect((await send('GET', LINK, '', '/')).status).toBe(302);
    const query = `/graphql?query=${encodeURIComponent('{ server { version } }')}`;
    expectRefusal(await send('GET', LINK, '', query), 403, 'FORBIDDEN');
    expectRefusal(await send('POST', LINK, '', '/graphiql'), 403, 'FORBIDDEN');
  });

  test('GraphiQL cannot be framed and runs only its own script', async () => {
    const { headers } = await send('GET', {}, '', '/graphiql');
    expect(headers).toMatchObject({ 'x-frame-options': 'DENY', 'referrer-policy': 'no-referrer' });
    const policy = String(headers['content-security-policy']).split('; ');
    expect(policy).toEqual(
      expect.arrayContaining(["default-src 'none'", "frame-ancestors 'none'", "connect-src 'self'"]),
    );
    expect(policy.find((rule) => rule.startsWith('script-src'))).toMatch(/^script-src 'sha256-[\w+/]{43}='$/);
  });

  test.each(['/graphql', '/graphiql', '/', '/health', '/ready', '/nowhere'])(
    'no browser guesses the type of the answer to %s',
    async (path) => {
      const { headers } = await send('GET', {}, '', path);
      expect(headers['x-content-type-options']).toBe('nosniff');
    },
  );

  test.each([
    ['an operation', '{"query":"{ __typename }"}'],
    ['an operation that Yoga refuses', '{"query":"{"}'],
    ['a body that is not JSON', '{'],
    ['a subscription', '{"query":"subscription { runEvents(runId: \\"none\\") { seq } }"}'],
  ])('no browser guesses a type for the answer to a post of %s', async (_what, body) => {
    const { headers } = await send('POST', { 'content-type': 'application/json' }, body, '/graphql');
    expect(headers['x-content-type-options']).toBe('nosniff');
  });

  test.each([
    ['variables that are not JSON', '&variables=%7B', {}],
    ['extensions that are not JSON', '&extensions=nope', {}],
    ['a Host whose port is too high', '', { host: '127.0.0.1:99999' }],
  ])('a GET with %s is the client’s fault', async (_what, parameters, headers) => {
    const answer = await send('GET', headers, '', `/graphql?query=%7B__typename%7D${parameters}`);
    expectRefusal(answer, 400, 'BAD_REQUEST');
  });

  const forms: readonly [string, string][] = [
    ['application/x-www-form-urlencoded', new URLSearchParams({ query: MUTATION }).toString()],
    ['text/plain', JSON.stringify({ query: MUTATION })],
    ['application/graphql', MUTATION],
    [
      'multipart/form-data; boundary=b',
      `--b\r\ncontent-disposition: form-data; name="query"\r\n\r\n${MUTATION}\r\n--b--\r\n`,
    ],
    ['', JSON.stringify({ query: MUTATION })],
    ['application/json-seq', JSON.stringify({ query: MUTATION })],
  ];
  for (const [type, body] of forms) {
    test(`a body sent as ${JSON.stringify(type)} is refused`, async () => {
      const headers: Record<string, string> = type ? { 'content-type': type } : {};
      expectRefusal(await send('POST', headers, body), 415, 'UNSUPPORTED_MEDIA_TYPE');
      expect(await planted()).toBe(false);
    });
  }

  test.each(['gzip', 'br', 'GZIP', 'identity, gzip', 'unknown'])(
    'a body sent with the content encoding %s is refused, however plain it is',
    async (encoding) => {
      const headers = { 'content-type': 'application/json', 'content-encoding': encoding };
      const answer = await send('POST', headers, JSON.stringify({ query: MUTATION }));
      expectRefusal(answer, 415, 'UNSUPPORTED_MEDIA_TYPE');
      expect(answer.text).toContain('content-encoding');
      expect(await planted()).toBe(false);
    },
  );

  test('a mutation by GET is refused', async () => {
    const answer = await send('GET', {}, '', `/graphql?query=${encodeURIComponent(MUTATION)}`);
    expectRefusal(answer, 405, 'METHOD_NOT_ALLOWED');
    expect(await planted()).toBe(false);
  });

  test('a websocket at another path is refused', async () => {
    await expect(openWebsocket(`${server.url}/graphiql`)).rejects.toThrow('404');
  });
});

describe('allowed clients', () => {
  const query = JSON.stringify({ query: '{ server { contractVersion } }' });
  const own: readonly [string, () => Record<string, string>][] = [
    ['a program without an Origin', () => ({})],
    ['a program that names the identity encoding', () => ({ 'content-encoding': 'identity' })],
    ['its own pages', () => ({ origin: server.url })],
    [
      'its own pages as localhost',
      () => {
        const { port } = new URL(server.url);
        return { host: `localhost:${port}`, origin: `http://localhost:${port}` };
      },
    ],
    [
      'its own pages, with the headers of browsers',
      () => ({ origin: server.url, 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors' }),
    ],
    ['a person who typed the address', () => ({ 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate' })],
    ['a program whose Origin is the websocket', () => ({ origin: server.url.replace('http', 'ws') })],
    ['a program whose Origin is the public websocket', () => ({ origin: `wss://${PUBLIC_HOST}` })],
    [
      'the pages of PUBLIC_URL with the default port of its scheme',
      () => ({ host: `${PUBLIC_HOST}:443`, origin: PUBLIC_URL }),
    ],
    ['its own pages with port 80', () => ({ host: 'localhost:80', origin: 'http://localhost' })],
    ['the pages of PUBLIC_URL', () => ({ host: 'runs.example.org', origin: PUBLIC_URL })],
    ['the pages of PUBLIC_URL behind a proxy that sets Host', () => ({ origin: PUBLIC_URL })],
  ];
  for (const [who, headers] of own) {
    test(`${who} may use HTTP and websocket`, async () => {
      const answer = await send('POST', { 'content-type': 'application/json', ...headers() }, query);
      expect([answer.status, JSON.parse(answer.text)]).toEqual([
        200,
        { data: { server: { contractVersion: 1 } } },
      ]);
      const client = await openWebsocket(server.graphql, { headers: { ...TOKEN, ...headers() } });
      client.subscribe('1', '{ server { contractVersion } }');
      expect((await client.next()).type).toBe('next');
    });
  }
});

/** Writes text unchanged and returns everything received until the server closes the connection. */
function exchange(text: string): Promise<string> {
  const { hostname, port } = new URL(server.url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(text));
    let answer = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      answer += chunk;
    });
    socket.on('close', () => resolve(answer)).on('error', reject);
  });
}

describe('raw requests', () => {
  const body = JSON.stringify({ query: '{ server { contractVersion } }' });
  const JSON_HEADERS = `Authorization: Bearer ${ADMIN_TOKEN}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n`;
  const H2C =
    'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n';
  const answered = '{"data":{"server":{"contractVersion":1}}}';

  test.each([
    ['HTTP', 'POST', JSON_HEADERS, body],
    [
      'websocket',
      'GET',
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n',
      '',
    ],
  ])('two Host headers are refused over %s with 400', async (_transport, method, headers, content) => {
    const hosts = `Host: localhost\r\nHost: localhost\r\nConnection: close\r\n`;
    expect(await exchange(`${method} /graphql HTTP/1.1\r\n${hosts}${headers}\r\n${content}`)).toMatch(
      /^HTTP\/1\.1 400 /,
    );
  });

  const many = (length: number) => Array.from({ length }, (_, header) => `X-${header}: 1\r\n`).join('');
  const WEBSOCKET =
    'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n';

  test.each([
    ['an Origin', 'Origin: https://evil.example\r\n'],
    ['a Sec-Fetch-Site', 'Sec-Fetch-Site: cross-site\r\n'],
  ])('%s behind 128 or more other headers does not get past the guard', async (_what, header) => {
    for (const more of [0, 1, 70, 700]) {
      const start = `/graphql HTTP/1.1\r\nHost: localhost\r\n`;
      const post = `POST ${start}${JSON_HEADERS}Connection: close\r\n${many(123 + more)}${header}\r\n${body}`;
      const answer = await exchange(post);
      expect(answer).toMatch(/^HTTP\/1\.1 4(03|31) /);
      expect(answer).toMatch(/"code":"(FORBIDDEN|BAD_REQUEST)"/);
      const upgrade = `GET ${start}${WEBSOCKET}${many(122 + more)}${header}\r\n`;
      expect(await exchange(upgrade)).toMatch(/^HTTP\/1\.1 4(03|31) /);
    }
  });

  test('a request may have 128 headers and no more', async () => {
    const post = (others: number) =>
      exchange(
        `POST /graphql HTTP/1.1\r\nHost: localhost\r\n${JSON_HEADERS}Connection: close\r\n${many(others)}\r\n${body}`,
      );
    expect(await post(123)).toContain(answered);
    const refused = await post(124);
    expect(refused).toMatch(/^HTTP\/1\.1 431 /);
    expect(refused).toContain('"code":"BAD_REQUEST"');
  });

  test.each([
    ['a post', `POST /graphql HTTP/1.1\r\nHost: localhost\r\n${H2C}${JSON_HEADERS}\r\n${body}`, answered],
    ['a probe', `GET /health HTTP/1.1\r\nHost: localhost\r\n${H2C}\r\n`, '{"status":"ok"}'],
  ])('an upgrade of %s to anything but a websocket is ignored', async (_what, request, expected) => {
    const answer = await exchange(request);
    expect(answer).toContain(expected);
    expect(answer.toLowerCase()).toContain('connection: close');
  });

  test('a POST is not a websocket request', async () => {
    const upgrade = 'Connection: Upgrade, close\r\nUpgrade: websocket\r\n';
    const answer = await exchange(
      `POST /graphql HTTP/1.1\r\nHost: localhost\r\n${upgrade}${JSON_HEADERS}\r\n${body}`,
    );
    expect(answer).toContain(answered);
  });
});

describe('probes', () => {
  test.each(['/health', '/ready'])('%s answers under any Host, and only with a status', async (path) => {
    const anyone = { host: 'pod-7.internal', origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
    const { status, text } = await send('GET', anyone, '', path);
    expect([status, Object.keys(JSON.parse(text))]).toEqual([200, ['status']]);
  });
});
