import { describe, expect, test } from 'vitest';
import type { FakeRequest } from '../../support/fake-fly/operations.ts';
import { openFly, openJob, openRunningJob } from './fly-harness.ts';

function logAnswer(lines: readonly [timestamp: string, message: string][]) {
  const data = lines.map(([timestamp, message]) => ({ attributes: { timestamp, message, level: 'info' } }));
  return { kind: 'answer', answer: { status: 200, body: { data, meta: { next_token: '1' } } } } as const;
}

describe('logs', () => {
  test('are the newest lines of the machine, oldest first', async () => {
    const { fly, substrate, handle } = await openJob();
    const answer = logAnswer([
      ['2026-03-01T00:00:02.5Z', 'third\n'],
      ['2026-03-01T00:00:01.000Z', 'first'],
      ['2026-03-01T00:00:02.000Z', 'second'],
    ]);
    fly.fail('logs', answer, 2);
    expect(await substrate.tailLogs?.(handle)).toBe('first\nsecond\nthird');
    expect(await substrate.tailLogs?.(handle, 2)).toBe('second\nthird');
    const asked = fly.asked('logs')[0];
    expect([asked?.app, asked?.url.searchParams.get('instance')]).toEqual([handle.appName, handle.machineId]);
  });

  test.each([
    ['there are none', logAnswer([])],
    ['they may not be read', { kind: 'answer', answer: { status: 401, body: '' } }],
    ['the answer is malformed', { kind: 'answer', answer: { status: 200, body: '<html>' } }],
    ['there is no answer', { kind: 'reset' }],
  ] as const)('are null when %s', async (_, fault) => {
    const { fly, substrate, handle } = await openJob();
    fly.fail('logs', fault);
    expect(await substrate.tailLogs?.(handle)).toBeNull();
  });
});

describe('the console', () => {
  test('is the page of app and machine at Fly', async () => {
    const { substrate } = await openFly();
    expect(substrate.getConsoleUrl?.({ appName: 'runfeed-a', machineId: '12ab' })).toBe(
      'https://fly.io/apps/runfeed-a/machines/12ab',
    );
    expect(substrate.getConsoleUrl?.({ appName: 'a/b', machineId: '?"' })).toBe(
      'https://fly.io/apps/a%2Fb/machines/%3F%22',
    );
  });
});

describe('the resource use of a job', () => {
  function metrics({ url }: FakeRequest) {
    const sample = (name: string, value: string, device?: string) => ({
      metric: { __name__: name, ...(device && { device }) },
      value: [1_760_000_000, value],
    });
    const result = url.searchParams.get('query')?.startsWith('sum(rate(fly_instance_cpu')
      ? [{ metric: {}, value: [1_760_000_000, '37.5'] }]
      : [
          sample('fly_instance_memory_mem_total', String(512 * 2 ** 20)),
          sample('fly_instance_memory_mem_available', String(384 * 2 ** 20)),
          sample('fly_instance_net_recv_bytes', '1', 'lo'),
          sample('fly_instance_net_recv_bytes', '1000', 'eth0'),
          sample('fly_instance_net_sent_bytes', '2000', 'eth0'),
        ];
    return { status: 200, body: { status: 'success', data: { resultType: 'vector', result } } };
  }

  test('is reported by a later status check', async () => {
    const { fly, substrate, handle } = await openRunningJob();
    fly.fail('metrics', { kind: 'answer', answer: metrics }, 1_000);
    expect(await substrate.getStatus(handle)).not.toHaveProperty('resourceStats');
    await expect
      .poll(async () => (await substrate.getStatus(handle)).resourceStats)
      .toEqual({ cpuPercent: 37.5, memoryMb: 128, networkRxBytes: 1_000, networkTxBytes: 2_000 });
    expect(fly.asked('metrics')[0]?.app).toBe('acme');
    expect(fly.asked('metrics')[0]?.url.search).toContain(handle.machineId);
  });

  test('is requested at most once per interval, and only while the job runs', async () => {
    const { fly, openWith, handle, machine } = await openJob();
    const substrate = openWith({}, { statsMs: 600_000 });
    for (let looks = 0; looks < 3; looks += 1) await substrate.getStatus(handle);
    expect(fly.asked('metrics')).toEqual([]);
    fly.advance(machine);
    fly.advance(machine);
    fly.fail('metrics', { kind: 'answer', answer: metrics }, 1_000);
    await expect.poll(async () => (await substrate.getStatus(handle)).resourceStats).toBeDefined();
    expect(fly.asked('metrics')).toHaveLength(2);
  });

  test.each([
    ['refused', { kind: 'answer', answer: { status: 401, body: '' } }],
    ['malformed', { kind: 'answer', answer: { status: 200, body: { data: { result: [{ value: 'x' }] } } } }],
    ['never answered', { kind: 'done, then silence' }],
  ] as const)('does not affect the status if it is %s', async (_, fault) => {
    const { fly, substrate, handle } = await openRunningJob();
    fly.fail('metrics', fault, 1_000);
    for (let looks = 0; looks < 5; looks += 1) {
      expect(await substrate.getStatus(handle)).toEqual({ status: 'running', region: 'ams' });
    }
    await substrate.close();
  });
});
