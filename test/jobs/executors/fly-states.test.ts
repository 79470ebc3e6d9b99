import { describe, expect, test } from 'vitest';
import type { JobObservation } from '../../../src/substrates/substrate.ts';
import { addEvent, type ExitDetails, exitRequest } from '../../support/fake-fly/machine.ts';
import { flySample, haveFlySamples } from '../../support/fly-samples.ts';
import { IMAGE, openFly, openJob, openRunningJob, specOf } from './fly-harness.ts';

const BEFORE = ['created', 'starting', 'creating'];
const KEPT = [
  'restarting',
  'updating',
  'replacing',
  'replaced',
  'migrated',
  'suspending',
  'suspended',
  'stopping',
];
const UNKNOWN = ['hibernating', 'constructor', '__proto__', 'toString', ''];

describe('the state of a machine', () => {
  test.each(BEFORE)('"%s" is provisioning before the job has run', async (state) => {
    const { substrate, handle, machine } = await openJob();
    machine.state = state;
    expect(await substrate.getStatus(handle)).toEqual({ status: 'provisioning', region: 'ams' });
  });

  test('"started" is running', async () => {
    const { substrate, handle } = await openRunningJob();
    expect(await substrate.getStatus(handle)).toEqual({ status: 'running', region: 'ams' });
  });

  test.each([...BEFORE, ...KEPT, ...UNKNOWN, 'destroying'])(
    '"%s" takes nothing back: a job that ran is running',
    async (state) => {
      const { substrate, handle, machine } = await openRunningJob();
      machine.state = state;
      expect(await substrate.getStatus(handle)).toEqual({ status: 'running', region: 'ams' });
    },
  );

  test.each([...KEPT, ...UNKNOWN, 'destroying'])(
    '"%s" does not make a job run that has not run yet',
    async (state) => {
      const { substrate, handle, machine } = await openJob();
      machine.state = state;
      expect(await substrate.getStatus(handle)).toEqual({ status: 'provisioning', region: 'ams' });
    },
  );

  test('is logged once if it is unknown', async () => {
    const { substrate, handle, machine, logged } = await openRunningJob();
    for (const state of ['hibernating', 'started', 'hibernating', 'constructor', 'hibernating']) {
      machine.state = state;
      await substrate.getStatus(handle);
    }
    expect(logged).toEqual([expect.stringContaining('hibernating'), expect.stringContaining('constructor')]);
  });

  test.each(['stopped', 'destroyed'])('"%s" without a trace of its cause is missing', async (state) => {
    const { substrate, handle, machine } = await openRunningJob();
    machine.state = state;
    expect(await substrate.getStatus(handle)).toMatchObject({ missing: true });
  });

  test('may go back from started to created, and the job stays running', async () => {
    const { fly, substrate, handle, machine } = await openJob();
    const seen: string[] = [];
    for (const state of ['created', 'starting', 'started', 'created', 'started', 'starting']) {
      if (state === 'started') addEvent(machine, 'start', 'started');
      machine.state = state;
      seen.push((await substrate.getStatus(handle)).status);
    }
    expect(seen).toEqual(['provisioning', 'provisioning', ...Array(4).fill('running')]);
    expect(fly.asked('getMachine')).toHaveLength(6);
  });
});

describe('the end of a job', () => {
  async function endedWith(details: ExitDetails, shape: 'exit_event' | 'MonitorEvent' = 'exit_event') {
    const job = await openRunningJob();
    job.fly.world.exitShape = shape;
    job.fly.exit(job.machine, details);
    return job;
  }

  const ends: [string, ExitDetails, Partial<JobObservation>][] = [
    ['exit 0', { exit_code: 0 }, { status: 'terminated', exitCode: 0 }],
    ['exit 0, omitted by Go', {}, { status: 'terminated', exitCode: 0 }],
    ['exit 3', { exit_code: 3 }, { status: 'failed', terminalErrorClass: 'exit_nonzero', exitCode: 3 }],
    ['exit 255', { exit_code: 255 }, { status: 'failed', terminalErrorClass: 'exit_nonzero' }],
    [
      'exit 126, not executable',
      { exit_code: 126 },
      { status: 'failed', terminalErrorClass: 'start_failed' },
    ],
    [
      'exit 127, no such program',
      { exit_code: 127 },
      { status: 'failed', terminalErrorClass: 'start_failed' },
    ],
    [
      'exit 137 with the flag',
      { exit_code: 137, oom_killed: true },
      { status: 'failed', terminalErrorClass: 'oom_killed' },
    ],
    [
      'exit 137 without the flag',
      { exit_code: 137 },
      { status: 'failed', terminalErrorClass: 'killed_by_signal' },
    ],
    [
      'exit 143, not requested',
      { exit_code: 143 },
      { status: 'failed', terminalErrorClass: 'killed_by_signal' },
    ],
    ['a signal', { signal: 11 }, { status: 'failed', terminalErrorClass: 'killed_by_signal' }],
    ['a guest’s signal', { guest_signal: 9 }, { status: 'failed', terminalErrorClass: 'killed_by_signal' }],
    [
      'exit 143, requested',
      { exit_code: 143, requested_stop: true },
      { status: 'terminated', exitCode: 143 },
    ],
    [
      'exit 137, requested',
      { exit_code: 137, requested_stop: true },
      { status: 'terminated', exitCode: 137 },
    ],
  ];

  test.each(ends)('is read from its exit: %s', async (_, details, seen) => {
    for (const shape of ['exit_event', 'MonitorEvent'] as const) {
      const { substrate, handle } = await endedWith(details, shape);
      const told = await substrate.getStatus(handle);
      expect(told).toMatchObject(seen);
      expect(Object.hasOwn(told, 'terminalErrorClass')).toBe(told.status === 'failed');
    }
  });

  test('is reported with the error that Fly gives', async () => {
    const { substrate, handle } = await endedWith({ exit_code: 3, error: 'the disk is full' });
    expect((await substrate.getStatus(handle)).terminalErrorMessage).toBe('exit code 3: the disk is full');
  });

  test.each(['destroying', 'destroyed'])('can still be read when the machine is %s', async (state) => {
    const { substrate, handle, machine } = await endedWith({ exit_code: 3 });
    machine.state = state;
    expect(await substrate.getStatus(handle)).toMatchObject({ status: 'failed', exitCode: 3 });
  });

  test('is the newest of two exits, in whatever order they come', async () => {
    const { substrate, handle, machine } = await endedWith({ exit_code: 3, oom_killed: true });
    addEvent(machine, 'exit', 'stopped', 'flyd', exitRequest('exit_event', { exit_code: 4 }));
    for (const order of ['newest first', 'oldest first']) {
      expect(await substrate.getStatus(handle), order).toMatchObject({
        terminalErrorClass: 'exit_nonzero',
        exitCode: 4,
      });
      machine.events.reverse();
    }
  });

  test('is not an exit that was followed by a restart, even if memory ran out', async () => {
    const { substrate, handle, machine } = await endedWith({ exit_code: 1 });
    addEvent(
      machine,
      'exit',
      'stopped',
      'flyd',
      exitRequest('exit_event', { oom_killed: true, restarting: true }),
    );
    expect(await substrate.getStatus(handle)).toMatchObject({ terminalErrorClass: 'exit_nonzero' });
    addEvent(machine, 'start', 'started');
    expect(await substrate.getStatus(handle)).toMatchObject({ missing: true });
    machine.state = 'started';
    expect(await substrate.getStatus(handle)).toMatchObject({ status: 'running' });
  });

  test('is found among empty and malformed events', async () => {
    const { substrate, handle, machine } = await endedWith({ exit_code: 5 });
    addEvent(machine, 'exit', 'stopped', 'flyd', null);
    addEvent(machine, 'exit', 'stopped', 'flyd', 'x');
    addEvent(machine, 'exit', 'stopped', 'flyd', { exit_event: 7 });
    Object.assign(machine, { events: [null, 1, 'x', ...machine.events] });
    expect(await substrate.getStatus(handle)).toMatchObject({ exitCode: 5 });
  });

  test('counts if it came before the host became unreachable', async () => {
    const { substrate, handle, machine } = await endedWith({ exit_code: 5 });
    machine.hostStatus = 'unreachable';
    expect(await substrate.getStatus(handle)).toMatchObject({ status: 'failed', exitCode: 5 });
  });
});

describe('an unreachable host', () => {
  test.each(['unreachable', 'unknown'] as const)(
    '(%s) keeps the status and reports host_lost',
    async (hostStatus) => {
      const { fly, substrate, handle, machine } = await openRunningJob();
      machine.hostStatus = hostStatus;
      for (const state of ['started', 'stopped', 'destroying']) {
        machine.state = state;
        const seen = await substrate.getStatus(handle);
        expect(seen).toMatchObject({ status: 'running', terminalErrorClass: 'host_lost' });
        expect(seen).not.toHaveProperty('missing');
      }
      machine.hostStatus = 'ok';
      machine.state = 'started';
      expect(await substrate.getStatus(handle)).toEqual({ status: 'running', region: 'ams' });
      expect(fly.asked('getMachine')).toHaveLength(4);
    },
  );
});

describe('a machine that cannot start', () => {
  test('because its image cannot be pulled fails with image_pull_failed', async () => {
    const { fly, substrate } = await openFly();
    const image = IMAGE.replace('runner', 'unpullable');
    const handle = await substrate.start({ ...specOf({ does: 'run' }), image });
    fly.world.progress = 'by hand';
    const { id } = fly.machine();
    expect(await substrate.getStatus(handle)).toMatchObject({ status: 'provisioning' });
    fly.advance(fly.machine());
    fly.advance(fly.machine());
    const seen = await substrate.getStatus({ ...handle, machineId: id });
    expect(seen).toMatchObject({ status: 'failed', terminalErrorClass: 'image_pull_failed' });
    expect(seen.terminalErrorMessage).toContain('manifest unknown');
  });

  test.each([
    ['failed', { error: 'exec format' }, 'start_failed'],
    ['failed', null, 'start_failed'],
    ['launch_failed', { launch: { reason: 'insufficient memory available' } }, 'capacity'],
    ['launch_failed', { message: 'unauthorized: could not pull' }, 'image_pull_failed'],
  ])(
    'and is %s with %j reports why, even once it is destroyed',
    async (state, request, terminalErrorClass) => {
      const { substrate, handle, machine } = await openJob();
      addEvent(machine, 'launch', state, 'flyd', request);
      for (const now of [state, 'destroying', 'destroyed']) {
        machine.state = now;
        expect(await substrate.getStatus(handle)).toMatchObject({ status: 'failed', terminalErrorClass });
      }
    },
  );

  test('is reported without the Fly token in its error', async () => {
    const { fly, substrate, handle, machine } = await openJob();
    machine.state = 'failed';
    addEvent(machine, 'launch', 'failed', 'flyd', { error: `pull with ${fly.world.token} refused` });
    const { terminalErrorMessage } = await substrate.getStatus(handle);
    expect(terminalErrorMessage).toContain('pull with [redacted] refused');
  });
});

describe('a failed status check', () => {
  test.each([
    ['a 503', { kind: 'answer', answer: { status: 503, body: '' } }],
    ['a 429', { kind: 'answer', answer: { status: 429, body: '' } }],
    ['a broken connection', { kind: 'reset' }],
    ['an answer that cannot be read', { kind: 'answer', answer: { status: 200, body: '{"id":' } }],
  ] as const)('with %s says nothing about the job', async (_, fault) => {
    const { fly, substrate, handle } = await openRunningJob();
    fly.fail('getMachine', fault);
    await expect(substrate.getStatus(handle)).rejects.toMatchObject({
      failure: { errorClass: 'substrate_error', transient: true },
    });
    expect(await substrate.getStatus(handle)).toMatchObject({ status: 'running' });
  });
});

describe.skipIf(!haveFlySamples)('recorded answers of the real API', () => {
  test.each([
    ['docs-create-200.json', { status: 'provisioning', region: 'ord' }],
    ['docs-get-200-started.json', { status: 'running', region: 'ord' }],
    ['live-get-200-created-2026-03.json', { status: 'provisioning', region: 'ams' }],
    ['live-get-200-started-2025-09.json', { status: 'running', region: 'ams' }],
    ['supabase-machine-200-created.json', { status: 'provisioning', region: 'hkg' }],
    [
      'docs-get-200-stopped-with-exit-event.json',
      { status: 'failed', terminalErrorClass: 'start_failed', exitCode: 127, region: 'cdg' },
    ],
  ])('%s can be read', async (name, seen) => {
    const { fly, substrate, handle } = await openJob();
    fly.fail('getMachine', { kind: 'answer', answer: { status: 200, body: flySample(name) } });
    expect(await substrate.getStatus(handle)).toMatchObject(seen);
  });

  test('the exit of a machine that was told to stop can be read', async () => {
    const { substrate, handle, machine } = await openRunningJob();
    machine.state = 'stopped';
    Object.assign(machine, { events: flySample('supabase-events-200-exit-requested-stop.json') });
    expect(await substrate.getStatus(handle)).toEqual({ status: 'terminated', exitCode: 143, region: 'ams' });
  });
});
