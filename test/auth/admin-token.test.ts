import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { databaseFile } from '../../src/config/data-folder.ts';
import { CLOSE_CODES } from '../../src/contract/errors.ts';
import { freshSqliteUrl } from '../support/databases.ts';
import { codesOf } from '../support/error-codes.ts';
import { openEventStream } from '../support/event-stream.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { post } from '../support/request.ts';
import { runRunfeed } from '../support/runfeed-process.ts';
import { freshFolder } from '../support/scripts.ts';
import { startTestServer } from '../support/server.ts';
import { connectWebsocket } from '../support/websocket-client.ts';

const PUBLIC_URL = 'https://runs.example.org';
const QUERY = '{ runs(first: 1) { nodes { id } } }';
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

async function startPublic(env: Readonly<Record<string, string>> = {}) {
  const DATABASE_URL = env.DATABASE_URL ?? (await freshSqliteUrl());
  const server = await startTestServer({ PUBLIC_URL, DATABASE_URL, ...env });
  releaseAfterwards(() => server.close());
  const file = join(dirname(databaseFile(DATABASE_URL)), 'admin-token');
  return { ...server, DATABASE_URL, file };
}

describe('a server with a PUBLIC_URL', () => {
  let server: Awaited<ReturnType<typeof startPublic>>;
  let token: string;

  beforeAll(async () => {
    server = await startPublic();
    token = (await readFile(server.file, 'utf8')).trim();
  });

  test('keeps the admin token in a file next to its database that only its owner can read', async () => {
    expect(token).toMatch(/^runfeed_admin_[\w-]{43}$/);
    expect((await stat(server.file)).mode & 0o777).toBe(0o600);
  });

  test('refuses every request without a token, whatever its Host', async () => {
    const { status, body } = await post(server.graphql, QUERY);
    expect([status, codesOf(body.errors)]).toEqual([401, ['UNAUTHENTICATED']]);
    const stream = await openEventStream(server.graphql, 'subscription { runUpdated { id } }', undefined, {
      host: 'runs.example.org',
    });
    expect([stream.status, await stream.rest(), stream.text()]).toEqual([
      401,
      [],
      expect.stringContaining('UNAUTHENTICATED'),
    ]);
  });

  test('closes a websocket without a token', async () => {
    const client = await connectWebsocket(server.graphql);
    client.send({ type: 'connection_init' });
    expect((await client.closed()).code).toBe(CLOSE_CODES.forbidden.code);
  });

  test('answers the bearer of the admin token, over HTTP and websocket', async () => {
    const { status, body } = await post(server.graphql, QUERY, {}, bearer(token));
    expect([status, body]).toEqual([200, { data: { runs: { nodes: [] } } }]);
    const client = await connectWebsocket(server.graphql);
    client.send({ type: 'connection_init', payload: bearer(token) });
    expect((await client.next()).type).toBe('connection_ack');
    client.subscribe('1', QUERY);
    expect(await client.next()).toMatchObject({ type: 'next', payload: { data: { runs: { nodes: [] } } } });
  });

  test.each(['x', 'runfeed_admin_', 'almost'])('refuses another token: %s', async (other) => {
    const wrong = other === 'almost' ? `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}` : other;
    const { status, body } = await post(server.graphql, QUERY, {}, bearer(wrong));
    expect([status, codesOf(body.errors)]).toEqual([401, ['UNAUTHENTICATED']]);
  });

  test('shows in GraphiQL where the token goes', async () => {
    const page = await (await fetch(`${server.url}/graphiql`)).text();
    expect(page).toContain('This server requires a token.');
  });

  test.each(['/health', '/ready'])('answers %s without a token', async (path) => {
    expect((await fetch(server.url + path)).status).toBe(200);
  });

  test('has its token found by commands on its machine, which send it to no other server', async () => {
    const { DATABASE_URL, url } = server;
    // Another server, which requires no token and would refuse this one.
    const other = await startTestServer();
    releaseAfterwards(() => other.close());
    const [own, elsewhere, given, toOther] = await Promise.all([
      runRunfeed(['runs', '--url', url], { DATABASE_URL }),
      runRunfeed(['runs', '--url', url], { DATABASE_URL: 'file:/nowhere/at/all.db' }),
      runRunfeed(['runs', '--url', url, '--token', 'wrong'], { DATABASE_URL }),
      runRunfeed(['runs', '--url', other.url], { DATABASE_URL }),
    ]);
    expect(own).toMatchObject({ code: 0, stderr: '' });
    expect(elsewhere).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('this server requires a token'),
    });
    expect(given).toMatchObject({ code: 1, stderr: expect.stringContaining('the token is invalid') });
    expect(toOther).toMatchObject({ code: 0, stderr: '' });
    // Four Node processes start on a machine that may be busy.
  }, 90_000);
});

describe('the admin token', () => {
  test('also works on a server without a PUBLIC_URL, which needs no token from its own machine', async () => {
    const DATABASE_URL = await freshSqliteUrl();
    const server = await startTestServer({ DATABASE_URL });
    releaseAfterwards(() => server.close());
    const token = await readFile(join(dirname(databaseFile(DATABASE_URL)), 'admin-token'), 'utf8');
    for (const headers of [{}, bearer(token.trim())]) {
      expect((await post(server.graphql, QUERY, {}, headers)).status).toBe(200);
    }
    expect((await post(server.graphql, QUERY, {}, bearer('other'))).status).toBe(401);
  });

  test('comes from ADMIN_TOKEN_FILE if set, and stays the same', async () => {
    const ADMIN_TOKEN_FILE = join(await freshFolder(), 'secrets', 'token');
    const first = await startPublic({ ADMIN_TOKEN_FILE });
    const token = await readFile(ADMIN_TOKEN_FILE, 'utf8');
    await first.close();
    await chmod(ADMIN_TOKEN_FILE, 0o400);
    const second = await startPublic({ ADMIN_TOKEN_FILE });
    expect((await post(second.graphql, QUERY, {}, bearer(token.trim()))).status).toBe(200);
  });

  test.each([
    ['a short text', 'short'],
    ['two lines', `${'a'.repeat(40)}\n${'b'.repeat(40)}`],
  ])('cannot be %s: the server does not start, and does not print it', async (_what, content) => {
    const folder = await freshFolder();
    await mkdir(folder, { recursive: true });
    const ADMIN_TOKEN_FILE = join(folder, 'token');
    await writeFile(ADMIN_TOKEN_FILE, content);
    const failure = startPublic({ ADMIN_TOKEN_FILE }).then(
      () => 'started',
      (error: Error) => error.message,
    );
    expect(await failure).toMatch(/token must contain the admin token/);
    expect(await failure).not.toContain(content);
  });
});
