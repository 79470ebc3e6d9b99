import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Config, readConfig } from '../../src/config/env.ts';
import { releaseAfterwards } from '../support/releases.ts';

const VARIABLES = [
  'PORT',
  'HOST',
  'DATABASE_URL',
  'REDIS_URL',
  'PUBLIC_URL',
  'RETENTION_DAYS',
  'SECRET_KEYS',
  'ORPHAN_SWEEP',
  'NATIVE_IDLE_MS',
  'LOG_LEVEL',
] as const;

function configOf(env: Record<string, string>) {
  const read = readConfig(env);
  if (!read.ok) throw new Error(read.problems.join('; '));
  return read.config;
}

function problemsOf(env: Record<string, string>): readonly string[] {
  const read = readConfig(env);
  return read.ok ? [] : read.problems;
}

describe('secrets from files', () => {
  const KEY = 'A'.repeat(43);
  function fileWith(text: string): string {
    const folder = mkdtempSync(join(tmpdir(), 'runfeed-config-'));
    releaseAfterwards(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, 'secret');
    writeFileSync(file, text);
    return file;
  }

  test.each([
    ['SECRET_KEYS', KEY, (config: Config) => config.secretKeys, [Buffer.from(KEY, 'base64')]],
    ['ANTHROPIC_API_KEY', 'sk-1', (config: Config) => config.native?.apiKey, 'sk-1'],
    ['DATABASE_URL', 'file:./other.db', (config: Config) => config.databaseUrl, 'file:./other.db'],
  ])('%s may come from the file that %s_FILE names, with a trailing line end', (name, text, pick, value) => {
    for (const content of [text, `${text}\n`, `${text}\r\n`]) {
      expect(pick(configOf({ [`${name}_FILE`]: fileWith(content) }))).toEqual(value);
    }
  });

  test('REDIS_URL may come from a file, too', () => {
    const given = { DATABASE_URL: 'postgresql://db/runfeed', REDIS_URL_FILE: fileWith('redis://cache\n') };
    expect(configOf(given).redisUrl).toBe('redis://cache');
  });

  test('a variable set in both ways, and a file that cannot be read, are refused with one line each', () => {
    expect(problemsOf({ SECRET_KEYS: KEY, SECRET_KEYS_FILE: fileWith(KEY) })).toEqual([
      'SECRET_KEYS and SECRET_KEYS_FILE are both set: keep one of them',
    ]);
    const given = { SECRET_KEYS_FILE: '/nowhere/keys', DATABASE_URL_FILE: fileWith('\n') };
    expect(problemsOf(given)).toEqual([
      'SECRET_KEYS_FILE names /nowhere/keys, which cannot be read (ENOENT)',
      `DATABASE_URL_FILE names ${given.DATABASE_URL_FILE}, which is empty`,
    ]);
  });

  test('a wrong value from a file is reported in a line that names its variable and does not repeat the value', () => {
    const [problem] = problemsOf({ SECRET_KEYS_FILE: fileWith('wrong-content') });
    expect(problem).toMatch(/^SECRET_KEYS must be keys/);
    expect(problem).not.toContain('wrong-content');
  });

  test('a reference in the runners file may come from a file, too', () => {
    const RUNNERS_FILE = fileWith(
      JSON.stringify({ runners: { r: { substrate: 'process', command: ['r'], secrets: { K: '$KEY' } } } }),
    );
    const config = configOf({ RUNNERS_FILE, KEY_FILE: fileWith('from a file\n') });
    expect(config.runners?.runners[0]?.secrets).toEqual({ K: 'from a file' });
    expect(problemsOf({ RUNNERS_FILE, KEY_FILE: '/nowhere/key' })).toEqual([
      'RUNNERS_FILE: KEY_FILE names /nowhere/key, which cannot be read (ENOENT)',
    ]);
  });
});

describe('the configuration', () => {
  test('of an empty environment is a local server on loopback', () => {
    expect(configOf({})).toEqual({
      port: 4000,
      host: '127.0.0.1',
      databaseUrl: 'file:./data/runfeed.db',
      redisUrl: null,
      publicUrl: null,
      adminTokenFile: resolve('data/admin-token'),
      retentionDays: null,
      secretKeys: null,
      runners: null,
      jobsFolder: null,
      jobsUser: null,
      maxRunEvents: 10_000_000,
      maxRunBytes: 17_179_869_184,
      orphanSweep: 'remove',
      native: null,
      environment: {},
      logLevel: 'info',
    });
  });

  test('treats an empty variable as absent', () => {
    const empty = Object.fromEntries(VARIABLES.map((name) => [name, '']));
    expect(configOf(empty)).toEqual({ ...configOf({}), environment: empty });
  });

  test.each(['127.0.0.1', '127.8.9.1', '::1', 'localhost'])('accepts the loopback address %s', (HOST) => {
    expect(configOf({ HOST }).host).toBe(HOST);
  });

  test.each([
    '0.0.0.0',
    '::',
    '10.0.0.1',
    'example.org',
    'localhost.example.org',
    '127.0.0.1.example.org',
    '1127.0.0.1',
  ])('refuses %s, which is reachable from other machines, and says why', (HOST) => {
    expect(problemsOf({ HOST })).toEqual([
      expect.stringMatching(/^HOST must be a loopback address .*access control/),
    ]);
  });

  test.each(['0', '4000', '65535'])('accepts port %s', (PORT) => {
    expect(configOf({ PORT }).port).toBe(Number(PORT));
  });

  test.each(['65536', '-1', '80.5', '0x50', '1e3', ' 80', 'http'])('refuses port %j', (PORT) => {
    expect(problemsOf({ PORT })).toEqual([expect.stringMatching(/^PORT must be a port/)]);
  });

  test.each(['MAX_RUN_EVENTS', 'MAX_RUN_BYTES'])('names the least and the most of %s', (name) => {
    expect(problemsOf({ [name]: '9007199254740991' })).toEqual([]);
    for (const value of ['0', '9007199254740993', '1e3']) {
      expect(problemsOf({ [name]: value })).toEqual([
        `${name} must be a whole number from 1 to 9007199254740991`,
      ]);
    }
  });

  test.each([
    'file:./a.db',
    'file:/var/lib/a.db',
    'postgresql://u:p@db:5432/runfeed',
    'postgres://db/runfeed',
  ])('accepts the database %s', (DATABASE_URL) => {
    expect(configOf({ DATABASE_URL }).databaseUrl).toBe(DATABASE_URL);
  });

  test.each(['file:', 'a.db', 'mysql://db/runfeed', 'http://db', 'postgresql://u:p@db:port/x'])(
    'refuses the database %s',
    (DATABASE_URL) => {
      expect(problemsOf({ DATABASE_URL })).toEqual([
        expect.stringMatching(/^DATABASE_URL must be file:PATH or/),
      ]);
    },
  );

  test('accepts a public address', () => {
    expect(configOf({ PUBLIC_URL: 'https://feed.example.org' }).publicUrl?.host).toBe('feed.example.org');
  });

  test.each([
    'feed.example.org',
    'ftp://feed',
    'https://feed/path',
    'https://me@feed',
    'https://feed/?a',
    'https://feed/#a',
  ])('refuses the public address %s', (PUBLIC_URL) => {
    expect(problemsOf({ PUBLIC_URL })).toEqual([expect.stringMatching(/^PUBLIC_URL must be http/)]);
  });

  test('is refused with one line for each wrong variable, which names it and never repeats its value', () => {
    const value = fc.string({ minLength: 1 }).map((text) => `✗${text}`);
    const environment = fc.record(Object.fromEntries(VARIABLES.map((name) => [name, value])), {
      requiredKeys: [],
    });
    fc.assert(
      fc.property(environment, (env: Partial<Record<string, string>>) => {
        const given = Object.fromEntries(Object.entries(env).map(([name, text]) => [name, text ?? '']));
        const problems = problemsOf(given);
        expect(problems.map((line) => line.split(' ', 1)[0]).sort()).toEqual(Object.keys(given).sort());
        for (const line of problems) expect(line).not.toMatch(/[✗\n]/);
      }),
    );
  });
});
