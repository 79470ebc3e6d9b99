import { execFileSync } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { databaseFile } from '../../src/config/data-folder.ts';
import { freshSqliteUrl } from '../support/databases.ts';
import { freePort } from '../support/ports.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { runRunfeed, startServe } from '../support/runfeed-process.ts';
import { freshFolder } from '../support/scripts.ts';

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

  test.each([
    ['SECRET_KEYS_FILE', 'a pipe', /^runfeed: SECRET_KEYS_FILE names \S+, which is a pipe: \S.*\n$/],
    ['DATABASE_URL_FILE', 'a folder', /^runfeed: DATABASE_URL_FILE names \S+, which is a folder: \S.*\n$/],
    [
      'REDIS_URL_FILE',
      'a large file',
      /^runfeed: REDIS_URL_FILE names \S+, which has more than 128 KiB: \S.*\n$/,
    ],
    [
      'ANTHROPIC_API_KEY_FILE',
      'a device',
      /^runfeed: ANTHROPIC_API_KEY_FILE names \S+, which is a device: \S.*\n$/,
    ],
    ['RUNNERS_FILE', 'a pipe', /^runfeed: RUNNERS_FILE names \S+, which is a pipe: \S.*\n$/],
    ['RUNNERS_FILE', 'a device', /^runfeed: RUNNERS_FILE names \S+, which is a device: \S.*\n$/],
    ['ADMIN_TOKEN_FILE', 'a pipe', /^runfeed: ADMIN_TOKEN_FILE: \S+ is a pipe: \S.*\n$/],
    ['ADMIN_TOKEN_FILE', 'a device', /^runfeed: ADMIN_TOKEN_FILE: \S+ is a device: \S.*\n$/],
    ['ADMIN_TOKEN_FILE', 'a folder', /^runfeed: ADMIN_TOKEN_FILE: \S+ is a folder: \S.*\n$/],
  ])('does not start if %s is %s', async (variable, kind, line) => {
    const { code, stdout, stderr } = await runRunfeed(['serve'], {
      PORT: '0',
      LOG_LEVEL: 'silent',
      ...(variable !== 'DATABASE_URL_FILE' && { DATABASE_URL: await freshSqliteUrl() }),
      [variable]: await unusualFile(kind),
    });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(line);
  });

  test('does not start if a pipe is in the place of the key next to the database, or behind a runner’s secret', async () => {
    const DATABASE_URL = await freshSqliteUrl();
    execFileSync('mkfifo', [`${databaseFile(DATABASE_URL)}-key`]);
    const first = await runRunfeed(['serve'], { PORT: '0', DATABASE_URL, LOG_LEVEL: 'silent' });
    expect(first).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^runfeed: SECRET_KEYS: \S+ is a pipe: .*\n$/),
    });
    const RUNNERS_FILE = join(await freshFolder(), 'runners.json');
    const runner = { substrate: 'process', command: ['r'], secrets: { KEY: '$KEY' } };
    await writeFile(RUNNERS_FILE, JSON.stringify({ runners: { r: runner } }));
    const second = await runRunfeed(['serve'], { RUNNERS_FILE, KEY_FILE: await unusualFile('a pipe') });
    expect(second).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^runfeed: RUNNERS_FILE: KEY_FILE names \S+, which is a pipe: .*\n$/),
    });
  });

  const MARKED = 'lines\nand \u001b[31m\u009b\u202ecolors';
  const LONG = '/long'.repeat(20_000);
  const URL_IN_PATH = 'postgresql://me:s3cret@db/runfeed';

  test.each([
    ['SECRET_KEYS_FILE', 'has controls', MARKED],
    ['SECRET_KEYS_FILE', 'is long', LONG],
    ['SECRET_KEYS_FILE', 'has a password', URL_IN_PATH],
    ['RUNNERS_FILE', 'has controls', MARKED],
    ['RUNNERS_FILE', 'is long and has a password', `redis://me:s3cret${LONG}@db`],
    ['ADMIN_TOKEN_FILE', 'has controls', `/dev/null/${MARKED}`],
    ['ADMIN_TOKEN_FILE', 'is long', `/dev/null${LONG}`],
    ['ADMIN_TOKEN_FILE', 'has a password', `/dev/null/${URL_IN_PATH}`],
    ['DATABASE_URL', 'has controls and a password', `file:/dev/null/${URL_IN_PATH}/${MARKED}`],
    ['DATABASE_URL', 'is long', `file:/dev/null${LONG}`],
    ['JOBS_FOLDER', 'has controls and a password', `/dev/null/${URL_IN_PATH}/${MARKED}`],
    ['JOBS_FOLDER', 'is long', `/dev/null${LONG}`],
  ])(
    'prints one short line without controls and passwords if %s is wrong: it %s',
    async (variable, _, value) => {
      const { code, stderr } = await runRunfeed(['serve'], {
        PORT: '0',
        LOG_LEVEL: 'silent',
        DATABASE_URL: await freshSqliteUrl(),
        [variable]: value,
      });
      expect(code).toBe(2);
      expect(stderr).toMatch(/^runfeed: [^\p{Cc}\u202e]{10,600}\n$/u);
      expect(stderr).not.toContain('s3cret');
    },
  );

  test('prints the first problems of a runners file that has very many, and how many more there are', async () => {
    const RUNNERS_FILE = join(await freshFolder(), 'runners.json');
    const runners = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`${index}\n\u001b`, {}]));
    await writeFile(RUNNERS_FILE, JSON.stringify({ runners }));
    const { code, stderr } = await runRunfeed(['serve'], { RUNNERS_FILE });
    expect(code).toBe(2);
    const lines = stderr.trimEnd().split('\n');
    expect(lines.length).toBe(21);
    expect(lines.at(-1)).toMatch(/^runfeed: and \d+ more problems$/);
    for (const line of lines) expect(line).toMatch(/^runfeed: [^\p{Cc}]{10,600}$/u);
  });
});

test('a command whose ADMIN_TOKEN_FILE is a pipe says so and exits with 2', async () => {
  const server = await startServe({ PUBLIC_URL: 'https://runs.example.org' });
  const { code, stderr } = await runRunfeed(['runs', '--url', server.url], {
    ADMIN_TOKEN_FILE: await unusualFile('a pipe'),
  });
  expect(code).toBe(2);
  expect(stderr).toMatch(/^runfeed: ADMIN_TOKEN_FILE: \S+ is a pipe: \S.*\n$/);
});

async function unusualFile(kind: string): Promise<string> {
  const path = join(await freshFolder(), 'file');
  if (kind === 'a folder') await mkdir(path);
  else if (kind === 'a pipe') execFileSync('mkfifo', [path]);
  else if (kind === 'a device') await symlink('/dev/zero', path);
  else await writeFile(path, 'x'.repeat(200_000));
  return path;
}
