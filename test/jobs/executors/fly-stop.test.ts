import { describe, expect, test } from 'vitest';
import { freshRun } from '../../suites/executor.ts';
import { failureOf, openFly, openJob, openRunningJob, specOf } from './fly-harness.ts';

const UNAVAILABLE = { kind: 'answer', answer: { status: 503, body: '' } } as const;
const LEASED = {
  kind: 'answer',
  answer: { status: 409, body: { status: 'error', message: 'lease currently held by a@b.c' } },
} as const;

describe('a stop', () => {
  test.each([
    [30_000, '30s'],
    [1_000, '1s'],
    [999, '999ms'],
    [1_500.9, '1500ms'],
    [1, '1ms'],
    [3_600_000, '300s'],
    [Number.POSITIVE_INFINITY, '300s'],
    [undefined, '10s'],
  ])(
    'with a grace period of %s ms sends SIGTERM and a timeout of %s, never longer than requested',
    async (graceMs, timeout) => {
      const { fly, substrate, handle } = await openRunningJob();
      await substrate.stop(handle, graceMs === undefined ? {} : { graceMs });
      expect(fly.asked('stopMachine').map(({ body }) => body)).toEqual([{ signal: 'SIGTERM', timeout }]);
      expect(fly.asked('destroyMachine')).toEqual([]);
    },
  );

  test.each([0, 0.9, -1, Number.NaN])('with a grace period of %d ms destroys by force', async (graceMs) => {
    const { fly, substrate, handle, machine } = await openRunningJob();
    await substrate.stop(handle, { graceMs });
    expect(machine.state).toBe('destroyed');
    expect(fly.asked('stopMachine')).toEqual([]);
  });

  test('without a grace period uses the configured one', async () => {
    const { fly, openWith, handle } = await openRunningJob();
    await openWith({ graceMs: 2_500 }).stop(handle);
    expect(fly.asked('stopMachine')[0]?.body).toMatchObject({ timeout: '2500ms' });
  });

  test('is repeated if it is unclear whether it arrived, or if another client holds the lease', async () => {
    const { fly, substrate, handle, machine } = await openRunningJob();
    fly.fail('stopMachine', UNAVAILABLE);
    fly.fail('stopMachine', LEASED);
    fly.fail('stopMachine', { kind: 'done, then reset' });
    await substrate.stop(handle);
    expect(machine.state).toBe('stopped');
    expect(fly.asked('stopMachine')).toHaveLength(4);
  });

  test('that never arrives fails for now after four tries', async () => {
    const { fly, substrate, handle } = await openRunningJob();
    fly.fail('stopMachine', { kind: 'reset' }, 100);
    expect(await failureOf(substrate.stop(handle))).toMatchObject({ transient: true });
    expect(fly.asked('stopMachine')).toHaveLength(4);
  });
});

describe('a stop while a start’s outcome is unknown', () => {
  test('finds what the start created after all', async () => {
    const { fly, substrate } = await openFly();
    const spec = specOf({ does: 'run' });
    fly.world.listLag = 1;
    fly.fail('createMachine', { kind: 'done, then reset' });
    fly.fail('listMachines', { kind: 'answer', answer: { status: 200, body: [] } });
    fly.fail('listMachines', UNAVAILABLE, 4);
    await failureOf(substrate.start(spec));
    // Hidden while lists lag: one empty answer is no proof.
    expect(await substrate.find(spec)).toEqual([]);
    const [handle, ...more] = await substrate.find(spec);
    expect(handle?.machineId).toBe(fly.machine().id);
    expect(more).toEqual([]);
    await substrate.remove(handle!);
    expect(fly.machine().state).toBe('destroyed');
    expect(await substrate.find(spec)).toEqual([]);
  });

  test('creates no app and no machine', async () => {
    const { fly, substrate } = await openFly();
    expect(await substrate.find({ ...freshRun(), specHash: 'k.h' })).toEqual([]);
    expect(fly.requests.map(({ method }) => method)).toEqual(['GET']);
  });

  test('finds nothing of other runs, and fails if the list fails', async () => {
    const { fly, substrate, spec } = await openJob();
    expect(await substrate.find({ ...spec, runId: 'other' })).toEqual([]);
    expect(await substrate.find({ ...spec, workspaceId: 'other' })).toEqual([]);
    fly.fail('listMachines', UNAVAILABLE, 100);
    expect(await failureOf(substrate.find(spec))).toMatchObject({ transient: true });
  });
});

describe('a removal', () => {
  test('is by force, and waits until the machine is gone', async () => {
    const { fly, substrate, handle, machine } = await openRunningJob();
    fly.fail(
      'getMachine',
      {
        kind: 'answer',
        answer: { status: 200, body: { id: machine.id, name: machine.name, state: 'destroying' } },
      },
      3,
    );
    await substrate.remove(handle);
    expect(fly.asked('destroyMachine').map(({ url }) => url.search)).toEqual(['?force=true']);
    expect(fly.asked('getMachine')).toHaveLength(4);
  });

  test('of a machine on an unreachable host fails, and can be tried again', async () => {
    const { fly, substrate, handle, machine } = await openRunningJob();
    machine.hostStatus = 'unreachable';
    expect(await failureOf(substrate.remove(handle))).toMatchObject({ transient: true });
    expect(fly.asked('getMachine')).toHaveLength(20);
    machine.hostStatus = 'ok';
    await substrate.remove(handle);
    expect(machine.state).toBe('destroyed');
  });

  test('is repeated if it is unclear whether it arrived', async () => {
    const { fly, substrate, handle, machine } = await openRunningJob();
    fly.fail('destroyMachine', UNAVAILABLE);
    fly.fail('destroyMachine', { kind: 'done, then reset' });
    fly.fail('getMachine', UNAVAILABLE);
    await substrate.remove(handle);
    expect(machine.state).toBe('destroyed');
  });
});
