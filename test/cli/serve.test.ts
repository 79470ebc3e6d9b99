import { createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { freshSqliteUrl } from '../support/databases.ts';
import { freePort } from '../support/ports.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { runRunfeed, startServe } from '../support/runfeed-process.ts';

describe('runfeed serve', () => {
  test('picks a free port for PORT=0, prints its addresses, and answers there', async () => {
    const server = await startServe({ PORT: '0', HOST: 'localhost' });
    const [, graphiql = ''] = await server.printed(/GraphiQL +(\S+)/);
    const [, graphql = ''] = await server.printed(/HTTP and SSE +(\S+)/);
    const [, websocket = ''] = await server.printed(/websocket +(\S+)/);
    expect(server.url).toMatch(/^http:\/\/localhost:\d+$/);
    expect([graphiql, graphql]).toEqual([`${server.url}/graphiql`, `${server.url}/graphql`]);
    expect(websocket).toBe(`${server.url.replace('http', 'ws')}/graphql`);
    expect((await fetch(graphiql)).headers.get('content-type')).toContain('text/html');
    expect((await fetch(`${server.url}/ready`)).status).toBe(200);
  });

  test('prints PUBLIC_URL among its addresses', async () => {
    const server = await startServe({ PUBLIC_URL: 'https://runs.example.org' });
    await server.printed(/PUBLIC_URL +https:\/\/runs\.example\.org\n/);
  });

  test('writes its log to standard error, one JSON object per line', async () => {
    const server = await startServe({ LOG_LEVEL: 'info' });
    server.kill('SIGINT');
    const { code, stdout, stderr } = await server.exit;
    expect(code).toBe(0);
    expect(stdout).not.toContain('{');
    const messages = stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).msg);
    expect(messages.at(0)).toBe('listening');
    expect(messages.at(-1)).toBe('stopped');
  });

  test('refuses a SQLite file that another process has open, which keeps working', async () => {
    const DATABASE_URL = await freshSqliteUrl();
    const first = await startServe({ DATABASE_URL });
    const { code, stdout, stderr } = await runRunfeed(['serve'], { PORT: '0', DATABASE_URL });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(
      /^runfeed: DATABASE_URL: .*is in use by another runfeed process.*DATABASE_URL.*\n$/,
    );
    expect((await fetch(`${first.url}/ready`)).status).toBe(200);
  });

  test('names the address that is already in use', async () => {
    const port = await freePort();
    const other = createServer().listen(port, '127.0.0.1');
    releaseAfterwards(() => other.close());
    const { code, stderr } = await runRunfeed(['serve'], {
      PORT: String(port),
      DATABASE_URL: await freshSqliteUrl(),
      LOG_LEVEL: 'silent',
    });
    expect(code).toBe(2);
    expect(stderr).toMatch(new RegExp(`^runfeed: PORT: 127\\.0\\.0\\.1:${port} is already in use: .*\\n$`));
  });

  test('does not start if Postgres is unreachable, and does not print the password', async () => {
    const DATABASE_URL = `postgresql://me:s3cret@127.0.0.1:${await freePort()}/runfeed`;
    const { code, stdout, stderr } = await runRunfeed(['serve'], { PORT: '0', DATABASE_URL });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^runfeed: DATABASE_URL: .*ECONNREFUSED.*\n$/);
    expect(stderr).not.toContain('s3cret');
  });

  test('does not start with invalid variables: prints one line each without the value, exit code 2', async () => {
    const { code, stdout, stderr } = await runRunfeed(['serve'], {
      PORT: '70000',
      HOST: '0.0.0.0',
      DATABASE_URL: 'mysql://me:s3cret@db/runfeed',
      PUBLIC_URL: 'ftp://example.org',
      LOG_LEVEL: 'loud',
    });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    const lines = stderr.trimEnd().split('\n');
    expect(lines).toEqual(
      ['PORT', 'HOST', 'DATABASE_URL', 'PUBLIC_URL', 'LOG_LEVEL'].map((name) =>
        expect.stringMatching(new RegExp(`^runfeed: ${name} must be \\S`)),
      ),
    );
    expect(stderr).not.toMatch(/70000|0\.0\.0\.0|mysql|s3cret|ftp|loud/);
  });

  test('refuses an address that other machines can reach, and says why', async () => {
    const { code, stderr } = await runRunfeed(['serve'], { HOST: '192.168.1.5' });
    expect(code).toBe(2);
    expect(stderr).toMatch(/^runfeed: HOST must be a loopback address .*no access control.*\n$/);
  });
});
