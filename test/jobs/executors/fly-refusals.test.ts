import { describe, expect, test } from 'vitest';
import { appNameOf } from '../../../src/substrates/fly-api/names.ts';
import { freshRun } from '../../suites/executor.ts';
import type { FakeAnswer } from '../../support/fake-fly/answer.ts';
import { flyErrorSamples, haveFlySamples } from '../../support/fly-samples.ts';
import { failureOf, openFly, openRunningJob, specOf } from './fly-harness.ts';

const FULL = { status: 503, body: { error: 'out of capacity', status: 'insufficient_capacity' } };
const QUOTA =
  'organization acme is using 2048 MB of memory, which together with 4096 MB is over the allowed quota';

function answers(samples: ReturnType<typeof flyErrorSamples>, prefix: RegExp): [string, FakeAnswer][] {
  return samples
    .filter((sample) => prefix.test(sample.case))
    .map((sample) => [sample.case, { status: sample.http, body: sample.raw ?? sample.body }]);
}

describe('a region without room', () => {
  test('is skipped for the next one, and the actual region is reported', async () => {
    const { fly, openWith } = await openFly();
    fly.world.fullRegions.add('ams').add('fra');
    const substrate = openWith({ fallbackRegions: ['fra', 'ams', 'iad'] });
    const handle = await substrate.start(specOf({ does: 'run' }));
    const regions = fly.asked('createMachine').map(({ body }) => (body as { region: string }).region);
    expect(regions).toEqual(['ams', 'fra', 'iad']);
    expect(await substrate.getStatus(handle)).toMatchObject({ region: 'iad' });
  });

  test('fails the start for now if there is no other', async () => {
    const { fly, openWith, made } = await openFly();
    fly.world.fullRegions.add('ams').add('fra');
    const substrate = openWith({ fallbackRegions: ['fra'] });
    const spec = specOf({ does: 'run' });
    expect(await failureOf(substrate.start(spec))).toMatchObject({
      errorClass: 'capacity',
      transient: true,
      mayExist: false,
    });
    expect(made(spec)).toBe(0);
    fly.world.fullRegions.clear();
    await substrate.start(spec);
    expect(made(spec)).toBe(1);
  });

  test.each<[string, FakeAnswer]>([
    ['a code that outranks its text', { ...FULL, body: { error: 'hm', status: 'insufficient_capacity' } }],
    ['a text', { status: 409, body: { error: 'aborted: insufficient memory available to fulfill request' } }],
    ['a body that is not JSON', { status: 409, body: 'insufficient CPUs available to fulfill request' }],
    ['an answer of another kind', { status: 400, body: { error: 'no capacity' } }],
    ...answers(flyErrorSamples(), /^capacity|^non_json/),
  ])('is recognized by %s', async (_, answer) => {
    const { fly, openWith } = await openFly();
    fly.fail('createMachine', { kind: 'answer', answer });
    await openWith({ fallbackRegions: ['fra'] }).start(specOf({ does: 'run' }));
    expect(fly.machine().region).toBe('fra');
  });

  test('is not confused with a concurrent update or a lease: the same region is tried again', async () => {
    const { fly, openWith } = await openFly();
    for (const body of [
      { error: 'aborted: machine update failed due to concurrent update' },
      { status: 'error', message: 'machine ID 1 lease currently held by a@b.c', code: 'invalid' },
    ]) {
      fly.fail('createMachine', { kind: 'answer', answer: { status: 409, body } });
    }
    await openWith({ fallbackRegions: ['fra'] }).start(specOf({ does: 'run' }));
    expect(fly.machine().region).toBe('ams');
    expect(fly.asked('createMachine')).toHaveLength(3);
  });
});

describe('credentials', () => {
  test('that are refused in mid-operation fail every call with auth, but no job', async () => {
    const { fly, substrate, handle, spec } = await openRunningJob();
    const good = fly.world.token;
    fly.world.token = 'another';
    const calls = [
      () => substrate.getStatus(handle),
      () => substrate.start(specOf({ does: 'run' })),
      () => substrate.stop(handle),
      () => substrate.remove(handle),
      () => substrate.find(spec),
      () => substrate.list(),
    ];
    for (const call of calls) {
      expect(await failureOf(call())).toMatchObject({ errorClass: 'auth', transient: true, mayExist: false });
    }
    fly.world.token = good;
    expect(await substrate.getStatus(handle)).toMatchObject({ status: 'running' });
  });

  test.each([
    [QUOTA, 'quota_exceeded'],
    ['not authorized to create machines', 'auth'],
  ])('are distinguished from a quota when both answer 403: %s', async (error, errorClass) => {
    const { fly, substrate } = await openFly();
    fly.fail('createMachine', { kind: 'answer', answer: { status: 403, body: { error } } });
    expect(await failureOf(substrate.start(specOf({ does: 'run' })))).toMatchObject({
      errorClass,
      transient: true,
    });
  });

  test('are sent in the scheme that fits the token', async () => {
    const { fly, openWith } = await openFly();
    for (const [token, header] of [
      ['fm2_abc', 'FlyV1 fm2_abc'],
      ['FlyV1 fm2_abc,fm2_def', 'FlyV1 fm2_abc,fm2_def'],
      ['a-token', 'Bearer a-token'],
    ] as const) {
      await openWith({ token })
        .list()
        .catch(() => {});
      expect(fly.requests.at(-1)?.headers.authorization).toBe(header);
    }
  });
});

describe('a refused request', () => {
  test.each([400, 422])('fails permanently with %i', async (status) => {
    const { fly, substrate } = await openFly();
    fly.fail('createMachine', { kind: 'answer', answer: { status, body: { error: 'invalid config' } } });
    const failure = await failureOf(substrate.start(specOf({ does: 'run' })));
    expect(failure).toMatchObject({ errorClass: 'config_invalid', transient: false, mayExist: false });
    expect(failure.message).toMatch(/invalid config.*fly-request-id 01/);
    expect(fly.asked('createMachine')).toHaveLength(1);
  });

  test.skipIf(!haveFlySamples)('is described with the answer of the real API', async () => {
    const { fly, substrate, handle } = await openRunningJob();
    for (const [, answer] of answers(flyErrorSamples(), /./)) {
      fly.fail('getMachine', { kind: 'answer', answer });
      expect((await failureOf(substrate.getStatus(handle))).message).toContain(
        `Fly answered ${answer.status}`,
      );
    }
  });
});

describe('too many requests', () => {
  const THROTTLED = (headers: Readonly<Record<string, string>>) => ({
    status: 429,
    body: 'slow down',
    headers,
  });

  test('wait as long as Fly asks', async () => {
    const { fly, substrate } = await openFly({ maxPauseMs: 2_000 });
    fly.fail('createMachine', { kind: 'answer', answer: THROTTLED({ 'retry-after': '1' }) });
    await substrate.start(specOf({ does: 'run' }));
    const [first, second] = fly.asked('createMachine').map(({ at }) => at);
    expect(second! - first!).toBeGreaterThan(980);
  });

  test('do not wait longer than a call may: the caller gets the delay', async () => {
    const { fly, substrate } = await openFly();
    fly.fail('createMachine', { kind: 'answer', answer: THROTTLED({ 'retry-after': '7' }) });
    expect(await failureOf(substrate.start(specOf({ does: 'run' })))).toMatchObject({
      errorClass: 'substrate_error',
      transient: true,
      mayExist: false,
      retryAfterMs: 7_000,
    });
    fly.fail('listMachines', { kind: 'answer', answer: THROTTLED({ 'retry-after': '999999999' }) });
    expect(await failureOf(substrate.start(specOf({ does: 'run' })))).toMatchObject({
      retryAfterMs: 300_000,
    });
  });

  test.each([
    ['a date', { 'retry-after': 'Wed, 21 Oct 2065 07:28:00 GMT' }],
    ['nonsense', { 'retry-after': '-5' }],
    ['nothing', {}],
  ])('are retried a few times with pauses if Fly asks for %s', async (_, headers) => {
    const { fly, substrate } = await openFly({ pauseMs: 40, maxPauseMs: 100 });
    fly.fail('createMachine', { kind: 'answer', answer: THROTTLED(headers) }, 100);
    expect(await failureOf(substrate.start(specOf({ does: 'run' })))).toMatchObject({
      errorClass: 'substrate_error',
      transient: true,
      retryAfterMs: null,
    });
    const times = fly.asked('createMachine').map(({ at }) => at);
    expect(times).toHaveLength(4);
    // Three pauses of at least half of 40 ms, minus what timers may be early.
    expect(times[3]! - times[0]!).toBeGreaterThan(50);
  });

  test('are not sent in the first place: one a second per action and app, three at once', async () => {
    const rateMs = 60;
    const { fly, openWith } = await openFly();
    const substrate = openWith({}, { rateMs, maxPauseMs: 10_000 });
    const before = performance.now();
    await Promise.all(Array.from({ length: 8 }, () => substrate.start(specOf({ does: 'run' }))));
    const times = fly
      .asked('createMachine')
      .map(({ at }) => at - before)
      .sort((a, b) => a - b);
    expect(times).toHaveLength(8);
    for (const [index, time] of times.entries()) expect(time).toBeGreaterThan((index - 2) * rateMs - 5);
  });

  test('are refused at once if they would wait too long, and delay no other request', async () => {
    const { fly, openWith } = await openFly();
    const substrate = openWith({}, { rateMs: 600, maxPauseMs: 1_000 });
    const starts = Array.from({ length: 10 }, () => substrate.start(specOf({ does: 'run' })));
    const outcomes = await Promise.allSettled(starts);
    // Three at once, and one after 600 ms; the next one would wait for 1,200.
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(4);
    expect(fly.asked('createMachine')).toHaveLength(4);
    const refused = await Promise.all(starts.slice(4).map(failureOf));
    for (const failure of refused) {
      expect(failure).toMatchObject({ errorClass: 'substrate_error', transient: true, mayExist: false });
      expect(failure.retryAfterMs).toBeGreaterThan(1_000);
      expect(failure.retryAfterMs).toBeLessThanOrEqual(1_200);
    }
  });

  test('of one workspace do not delay another', async () => {
    const { fly, openWith, made } = await openFly();
    // A request that has to wait for a turn runs out of time.
    const substrate = openWith({}, { rateMs: 600_000 });
    for (let index = 0; index < 6; index += 1) {
      const run = { ...freshRun(), workspaceId: `other-${index}` };
      const app = appNameOf('runfeed', 'acme', run.workspaceId);
      fly.world.apps.set(app, { name: app, org: 'acme', network: null, lag: 0 });
      await substrate.start(specOf({ does: 'run' }, run));
      expect(made(run)).toBe(1);
    }
  });
});

describe('an error message of Fly', () => {
  const SECRET = 'p@ss "word" <of> the runner';

  test.each([
    ['as they are', (value: string) => value],
    ['escaped in JSON', (value: string) => JSON.stringify(value)],
    ['in base64 within a longer text', (value: string) => Buffer.from(`TOKEN=${value};`).toString('base64')],
    ['escaped for a URL', (value: string) => encodeURIComponent(value)],
  ])('is reported without the secrets that it repeats %s', async (_, written) => {
    const { fly, substrate } = await openFly();
    const error = `invalid value ${written(SECRET)} with Bearer abcdefgh1234 and ${fly.world.token}`;
    fly.fail('createMachine', { kind: 'answer', answer: { status: 422, body: { error } } });
    const spec = specOf({ does: 'run' }, freshRun(), { secrets: [SECRET] });
    const { message } = await failureOf(substrate.start(spec));
    expect(message).toMatch(/invalid value \S*\[redacted\]/);
    for (const hidden of [written(SECRET), SECRET, 'abcdefgh1234', fly.world.token]) {
      expect(message).not.toContain(hidden);
    }
  });

  test('is reported without the half of a secret that clipping it would leave', async () => {
    const { fly, substrate } = await openFly();
    for (let length = 470; length <= 500; length += 5) {
      const error = 'x'.repeat(length) + SECRET;
      fly.fail('createMachine', { kind: 'answer', answer: { status: 422, body: { error } } });
      const spec = specOf({ does: 'run' }, freshRun(), { secrets: [SECRET] });
      expect((await failureOf(substrate.start(spec))).message).not.toContain('p@ss');
    }
  });

  test('is reported without the Fly token, whatever the request', async () => {
    const { fly, openWith } = await openFly();
    fly.world.token = 'an-opaque-token';
    const substrate = openWith({ token: 'an-opaque-token' });
    const handle = await substrate.start(specOf({ does: 'run' }));
    const answer = { status: 400, body: { error: 'what is an-opaque-token?' } };
    fly.fail('getMachine', { kind: 'answer', answer });
    expect((await failureOf(substrate.getStatus(handle))).message).toContain('what is [redacted]?');
    fly.fail('stopMachine', { kind: 'answer', answer });
    expect((await failureOf(substrate.stop(handle))).message).toContain('what is [redacted]?');
  });
});
