import { expect, test } from 'vitest';
import { flyConfigSchema } from '../../../src/substrates/fly-api/config.ts';
import { failureOf, openFly, openJob } from './fly-harness.ts';

const NEEDED = { token: 'fm2_abcdefgh', org: 'acme' };

test('a token and an organization are enough', () => {
  expect(flyConfigSchema.parse(NEEDED)).toEqual({
    ...NEEDED,
    appPrefix: 'runfeed',
    apiUrl: 'https://api.machines.dev/v1',
    logsUrl: 'https://api.fly.io/api/v1',
    metricsUrl: 'https://api.fly.io/prometheus',
    fallbackRegions: [],
    cpuKind: 'shared',
    graceMs: 10_000,
    pollMs: 1_000,
  });
});

test.each([
  { token: ' ' },
  { org: 'Acme Inc' },
  { appPrefix: 'a' },
  { appPrefix: 'Runfeed' },
  { appPrefix: '1-runfeed' },
  { appPrefix: 'runfeed-' },
  { appPrefix: 'r'.repeat(42) },
  { apiUrl: 'api.machines.dev' },
  { fallbackRegions: ['Amsterdam'] },
  { cpuKind: 'huge' },
  { graceMs: 0 },
  { graceMs: 300_001 },
  { pollMs: 10 },
  { surprise: true },
])('an invalid value is refused without repeating the token: %o', (wrong) => {
  const { success, error } = flyConfigSchema.safeParse({ ...NEEDED, ...wrong });
  expect(success).toBe(false);
  expect(JSON.stringify(error)).not.toContain(NEEDED.token);
});

test('addresses may end with a slash', async () => {
  const { fly, openWith } = await openFly();
  await openWith({ apiUrl: `${fly.urls.apiUrl}/` }).list();
  expect(fly.requests.map(({ url }) => url.pathname)).toEqual(['/v1/apps']);
});

test('a closed substrate refuses calls', async () => {
  const { substrate, handle } = await openJob();
  await substrate.close();
  expect(await failureOf(substrate.getStatus(handle))).toMatchObject({ transient: true });
  expect(await substrate.tailLogs?.(handle)).toBeNull();
});
