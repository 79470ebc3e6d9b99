import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunningServer } from '../../src/server/server.ts';
import { codesOf } from '../support/error-codes.ts';
import { startTestServer } from '../support/server.ts';
import { openWebsocket } from '../support/websocket-client.ts';

const PUBLIC_URL = 'https://runs.example.org';
const MUTATION = 'mutation { createRun(input: { id: "planted", provider: openai }) { __typename } }';

let server: RunningServer & { readonly graphql: string };

beforeAll(async () => {
  server = await startTestServer({ PUBLIC_URL });
});

afterAll(() => server.close());

interface Raw {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
}

/** A request with headers as they are, Host among them, which fetch would not let through. */
function send(method: string, headers: Record<string, string>, body = '', path = '/graphql'): Promise<Raw> {
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
  ['an Origin of another site', () => ({ origin: 'https://evil.example' })],
  ['the Origin null', () => ({ origin: 'null' })],
  ['an Origin of another port of this machine', () => ({ origin: 'http://127.0.0.1:1' })],
  ['an Origin that begins like the public one', () => ({ origin: `${PUBLIC_URL}.evil.example` })],
  ['a Host that was rebound to this machine', () => ({ host: 'evil.example' })],
  ['a Host that begins like a loopback address', () => ({ host: '127.0.0.1.evil.example' })],
  ['an own Origin under a rebound Host', () => ({ host: 'evil.example', origin: 'http://evil.example' })],
];

describe('what another web page could do', () => {
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
      await expect(openWebsocket(server.graphql, { headers: headers() })).rejects.toThrow('403');
      expect(await planted()).toBe(false);
    });
  }

  test('a preflight is refused without a word of permission', async () => {
    const asking = { origin: 'https://evil.example', 'access-control-request-method': 'POST' };
    expectRefusal(await send('OPTIONS', asking), 403, 'FORBIDDEN');
    const { origin: _origin, ...silent } = asking;
    expectRefusal(await send('OPTIONS', silent), 405, 'METHOD_NOT_ALLOWED');
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

  test('a mutation by GET is refused', async () => {
    const answer = await send('GET', {}, '', `/graphql?query=${encodeURIComponent(MUTATION)}`);
    expectRefusal(answer, 405, 'METHOD_NOT_ALLOWED');
    expect(await planted()).toBe(false);
  });

  test('a websocket at another path is refused', async () => {
    await expect(openWebsocket(`${server.url}/graphiql`)).rejects.toThrow('404');
  });
});

describe('whom the server answers', () => {
  const query = JSON.stringify({ query: '{ server { contractVersion } }' });
  const own: readonly [string, () => Record<string, string>][] = [
    ['a program without an Origin', () => ({})],
    ['its own pages', () => ({ origin: server.url })],
    [
      'its own pages as localhost',
      () => {
        const { port } = new URL(server.url);
        return { host: `localhost:${port}`, origin: `http://localhost:${port}` };
      },
    ],
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
      const client = await openWebsocket(server.graphql, { headers: headers() });
      client.subscribe('1', '{ server { contractVersion } }');
      expect((await client.next()).type).toBe('next');
    });
  }
});
