import { describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config/env.ts';

const KEY = 'sk-ant-secret-0123';

function nativeOf(env: Record<string, string>) {
  const read = readConfig(env);
  if (!read.ok) throw new Error(read.problems.join('; '));
  return read.config.native;
}

function problemsOf(env: Record<string, string>): readonly string[] {
  const read = readConfig(env);
  return read.ok ? [] : read.problems;
}

describe('the configuration of following a provider', () => {
  test('is absent without a key', () => {
    expect(nativeOf({ ANTHROPIC_BASE_URL: 'http://127.0.0.1:1', ANTHROPIC_API_KEY: '' })).toBeNull();
  });

  test('defaults to Anthropic’s own address with a key', () => {
    expect(nativeOf({ ANTHROPIC_API_KEY: KEY })).toMatchObject({
      baseUrl: new URL('https://api.anthropic.com/'),
      apiKey: KEY,
      betas: [],
    });
  });

  test('may have another address with a path, and beta features', () => {
    const ANTHROPIC_BASE_URL = 'https://proxy.example.org/anthropic';
    const native = nativeOf({ ANTHROPIC_API_KEY: KEY, ANTHROPIC_BASE_URL, ANTHROPIC_BETA: 'one-1, two_2' });
    expect(new URL('v1/messages', native?.baseUrl).href).toBe(`${ANTHROPIC_BASE_URL}/v1/messages`);
    expect(native?.betas).toEqual(['one-1', 'two_2']);
  });

  test.each([
    ['ANTHROPIC_BASE_URL', 'ftp://secret-host'],
    ['ANTHROPIC_BASE_URL', 'https://secret@host'],
    ['ANTHROPIC_BASE_URL', 'https://host/?secret'],
    ['ANTHROPIC_API_KEY', 'secret key'],
    ['ANTHROPIC_API_KEY', 'secret\nkey'],
    ['ANTHROPIC_BETA', 'secret,,feature'],
    ['NATIVE_IDLE_MS', '290001'],
    ['NATIVE_MAX_DURATION_MS', '0'],
    ['NATIVE_PATIENCE_MS', 'secret'],
  ])('refuses a %s of %j and does not repeat it', (name, value) => {
    const problems = problemsOf({ ANTHROPIC_API_KEY: KEY, [name]: value });
    expect(problems).toEqual([expect.stringMatching(`^${name} must be`)]);
    expect(problems[0]).not.toContain('secret');
  });

  test('requires shared keys on Postgres', () => {
    const env = { ANTHROPIC_API_KEY: KEY, DATABASE_URL: 'postgresql://h/d' };
    expect(problemsOf(env)).toEqual([
      expect.stringMatching(/^SECRET_KEYS is required with ANTHROPIC_API_KEY/),
    ]);
    expect(problemsOf({ ...env, SECRET_KEYS: Buffer.alloc(32).toString('base64') })).toEqual([]);
  });
});
