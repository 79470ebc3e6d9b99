import { expect, test } from 'vitest';
import { readConfig } from '../../src/config/env.ts';

const DATABASE_URL = 'postgresql://db/runfeed';

test.each(['redis://127.0.0.1', 'redis://cache:6380', 'rediss://me:secret@cache.example.org:6379/2'])(
  'the configuration accepts the Redis URL %s',
  (REDIS_URL) => {
    expect(readConfig({ DATABASE_URL, REDIS_URL })).toMatchObject({
      ok: true,
      config: { redisUrl: REDIS_URL },
    });
  },
);

test('an empty Redis URL means no Redis', () => {
  const read = readConfig({ DATABASE_URL, REDIS_URL: '' });
  expect(read.ok && read.config.redisUrl).toBeNull();
});

test.each(['cache:6379', 'http://cache', 'redis://', 'redis:///2', 'redis://cache:port'])(
  'the configuration refuses the Redis URL %s',
  (REDIS_URL) => {
    expect(readConfig({ DATABASE_URL, REDIS_URL })).toEqual({
      ok: false,
      problems: [expect.stringMatching(/^REDIS_URL must be redis:/)],
    });
  },
);

test.each([{}, { DATABASE_URL: 'file:a.db' }])('a Redis URL with SQLite is refused (%o)', (env) => {
  const read = readConfig({ ...env, REDIS_URL: 'redis://me:do-not-tell-me@cache' });
  expect(read).toEqual({
    ok: false,
    problems: [expect.stringMatching(/^REDIS_URL requires a Postgres DATABASE_URL/)],
  });
  expect(JSON.stringify(read)).not.toContain('do-not-tell-me');
});
