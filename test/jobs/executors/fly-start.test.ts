import { describe, expect, test } from 'vitest';
import { appNameOf, machineNameOf } from '../../../src/substrates/fly-api/names.ts';
import { freshRun } from '../../suites/executor.ts';
import type { Behaviour } from '../../support/fake-fly/faults.ts';
import { makeMachine } from '../../support/fake-fly/machine.ts';
import { failureOf, IMAGE, openFly, openJob, specOf } from './fly-harness.ts';

const UNAVAILABLE = { status: 503, body: { error: 'upstream connect error' } };

/** Opens a Fly with a foreign machine under the name that the run's would have. */
async function openWithStranger(name?: string) {
  const harness = await openFly();
  const run = freshRun();
  const app = appNameOf('runfeed', 'acme', run.workspaceId);
  harness.fly.world.apps.set(app, { name: app, org: 'acme', network: null, lag: 0 });
  const stranger = makeMachine(app, name ?? machineNameOf(run), 'ams', { image: IMAGE }, 0);
  harness.fly.world.machines.push(stranger);
  return { ...harness, stranger, spec: specOf({ does: 'run' }, run) };
}

describe('the request for a machine', () => {
  test('contains all that keeps it from running twice, and nothing else', async () => {
    const { fly, substrate } = await openFly();
    const spec = specOf({ does: 'run' }, freshRun(), { resources: { cpus: 2, memoryMb: 1_000 } });
    const { appName } = await substrate.start(spec);
    expect(fly.asked('createApp')[0]?.body).toEqual({ name: appName, org_slug: 'acme', network: appName });
    expect(fly.asked('createMachine').map(({ body }) => body)).toEqual([
      {
        name: machineNameOf(spec),
        region: 'ams',
        config: {
          image: IMAGE,
          env: spec.env,
          metadata: {
            managed_by: 'runfeed',
            workspace_id: spec.workspaceId,
            run_id: spec.runId,
            spec_hash: spec.specHash,
          },
          restart: { policy: 'no' },
          auto_destroy: false,
          stop_config: { signal: 'SIGTERM', timeout: '10s' },
          dns: { skip_registration: true },
          guest: { cpu_kind: 'shared', cpus: 2, memory_mb: 1_024 },
        },
      },
    ]);
  });

  test('is sent once for twenty concurrent starts of one run', async () => {
    const { fly, substrate } = await openFly();
    const spec = specOf({ does: 'run' });
    await Promise.all(Array.from({ length: 20 }, () => substrate.start(spec)));
    expect(fly.asked('createMachine')).toHaveLength(1);
    expect(fly.asked('createApp')).toHaveLength(1);
  });

  test('has legal names of app and machine, whatever the ids are', () => {
    const ids = ['a', 'A', '.', '..', '-:_', 'x'.repeat(128), 'ü', ''];
    for (const id of ids) {
      expect(machineNameOf({ workspaceId: id, runId: id })).toMatch(/^[a-z][a-z0-9-]{1,62}$/);
      expect(appNameOf('r'.repeat(41), 'acme', id)).toMatch(/^[a-z][a-z0-9-]{1,61}$/);
    }
    expect(new Set(ids.map((id) => appNameOf('runfeed', 'acme', id))).size).toBe(ids.length);
    expect(machineNameOf({ workspaceId: 'a', runId: 'bc' })).not.toBe(
      machineNameOf({ workspaceId: 'ab', runId: 'c' }),
    );
  });

  test.each([
    ['shared', { cpus: 1, memoryMb: 1 }, { cpus: 1, memory_mb: 256 }],
    ['shared', { cpus: 1, memoryMb: 2_048 }, { cpus: 1, memory_mb: 2_048 }],
    ['shared', { cpus: 3, memoryMb: 512 }, { cpus: 4, memory_mb: 1_024 }],
    ['shared', { cpus: 0.5, memoryMb: 300 }, { cpus: 1, memory_mb: 512 }],
    ['performance', { cpus: 8, memoryMb: 4_096 }, { cpus: 8, memory_mb: 16_384 }],
  ] as const)('for a %s machine with %o names the next available size', async (cpuKind, resources, size) => {
    const { fly, openWith } = await openFly();
    await openWith({ cpuKind }).start(specOf({ does: 'run' }, freshRun(), { resources }));
    expect(fly.machine().config).toMatchObject({ guest: { cpu_kind: cpuKind, ...size } });
  });

  test.each([
    { cpus: 1, memoryMb: 2_049 },
    { cpus: 9, memoryMb: 256 },
    { cpus: Number.NaN, memoryMb: 256 },
    { cpus: 1, memoryMb: Number.NaN },
  ])('is not sent for more resources than exist: %o', async (resources) => {
    const { fly, substrate } = await openFly();
    const failure = await failureOf(substrate.start(specOf({ does: 'run' }, freshRun(), { resources })));
    expect(failure).toMatchObject({ errorClass: 'config_invalid', transient: false, mayExist: false });
    expect(fly.requests).toEqual([]);
  });
});

describe('a create whose outcome is unclear', () => {
  const faults: [string, Behaviour][] = [
    ['the connection breaks before it', { kind: 'reset' }],
    ['the connection breaks after it', { kind: 'done, then reset' }],
    ['it is answered with 408', { kind: 'answer', answer: { status: 408, body: '' } }],
    ['it is answered with 500', { kind: 'answer', answer: { status: 500, body: { error: 'oops' } } }],
    ['it succeeds and is answered with 503', { kind: 'done, then answer', answer: UNAVAILABLE }],
    ['its success cannot be read', { kind: 'done, then answer', answer: { status: 200, body: '<html>' } }],
    ['its success names no machine', { kind: 'done, then answer', answer: { status: 200, body: {} } }],
  ];

  test.each(faults)('creates one machine in the end: %s', async (_, fault) => {
    const { fly, substrate, made } = await openFly();
    const spec = specOf({ does: 'run' });
    fly.fail('createMachine', fault);
    const handle = await substrate.start(spec);
    expect(handle.machineId).toBe(fly.machine().id);
    expect(made(spec)).toBe(1);
    const done = fault.kind.startsWith('done');
    expect(fly.asked('createMachine')).toHaveLength(done ? 1 : 2);
  });

  test('creates one machine in the end: no answer ever comes', async () => {
    const { fly, substrate, made } = await openFly({ requestMs: 1_500 });
    const spec = specOf({ does: 'run' });
    fly.fail('createMachine', { kind: 'done, then silence' });
    await substrate.start(spec);
    expect(made(spec)).toBe(1);
    expect(fly.asked('createMachine')).toHaveLength(1);
  });

  test('is found by the second look-up if lists lag, without a second create', async () => {
    const { fly, substrate } = await openFly();
    fly.world.listLag = 1;
    fly.fail('createMachine', { kind: 'done, then reset' });
    const { machineId } = await substrate.start(specOf({ does: 'run' }));
    expect(machineId).toBe(fly.machine().id);
    expect(fly.asked('createMachine')).toHaveLength(1);
  });

  test('is found by its name if lists lag longer', async () => {
    const { fly, substrate } = await openFly();
    fly.world.listLag = 100;
    fly.fail('createMachine', { kind: 'done, then reset' });
    const { machineId } = await substrate.start(specOf({ does: 'run' }));
    expect(machineId).toBe(fly.machine().id);
    expect(fly.asked('createMachine')).toHaveLength(2);
  });

  test('stays unknown if it cannot be looked up, is not repeated, and is found the next time', async () => {
    const { fly, substrate } = await openFly();
    const spec = specOf({ does: 'run' });
    fly.fail('createMachine', {
      kind: 'done, then answer',
      answer: () => {
        fly.fail('listMachines', { kind: 'answer', answer: UNAVAILABLE }, 100);
        return UNAVAILABLE;
      },
    });
    expect(await failureOf(substrate.start(spec))).toMatchObject({
      errorClass: 'outcome_unknown',
      mayExist: true,
      transient: true,
    });
    expect(fly.asked('createMachine')).toHaveLength(1);
    fly.mend();
    expect((await substrate.start(spec)).machineId).toBe(fly.machine().id);
    expect(fly.asked('createMachine')).toHaveLength(1);
  });

  test('is tried at most four times and then stays unknown', async () => {
    const { fly, substrate } = await openFly();
    fly.fail('createMachine', { kind: 'reset' }, 100);
    expect(await failureOf(substrate.start(specOf({ does: 'run' })))).toMatchObject({
      errorClass: 'outcome_unknown',
      mayExist: true,
      transient: true,
    });
    expect(fly.asked('createMachine')).toHaveLength(4);
  });

  test('is not forgotten after a later refusal', async () => {
    const { fly, substrate } = await openFly();
    fly.fail('createMachine', { kind: 'reset' });
    fly.fail('createMachine', { kind: 'answer', answer: { status: 401, body: { error: 'no' } } });
    expect(await failureOf(substrate.start(specOf({ does: 'run' })))).toMatchObject({
      errorClass: 'auth',
      mayExist: true,
    });
  });

  test('takes no longer than a call may', async () => {
    const { fly, substrate } = await openFly({ callMs: 500, requestMs: 600_000 });
    fly.fail('createMachine', { kind: 'done, then silence' });
    expect(await failureOf(substrate.start(specOf({ does: 'run' })))).toMatchObject({ transient: true });
  });

  test('is reported if the substrate is closed meanwhile', async () => {
    const { fly, substrate } = await openFly();
    fly.fail('createMachine', { kind: 'done, then silence' });
    const failure = failureOf(substrate.start(specOf({ does: 'run' })));
    while (fly.world.machines.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await substrate.close();
    expect(await failure).toMatchObject({ errorClass: 'outcome_unknown', mayExist: true });
  });
});

describe('a machine name that is in use', () => {
  test('by the run’s own machine, missing from lists: the machine is adopted by the id in the error', async () => {
    const { fly, spec, handle, openWith } = await openJob();
    fly.world.emptyLists = 100;
    expect(await openWith().start(spec)).toEqual(handle);
    expect(fly.asked('createMachine')).toHaveLength(2);
    expect(fly.asked('listMachines')).toHaveLength(2);
  });

  test('by the run’s own machine, with no id in the error: the machine is adopted from the list', async () => {
    const { fly, spec, handle, openWith } = await openJob();
    fly.world.emptyLists = 1;
    fly.fail('createMachine', { kind: 'answer', answer: { status: 409, body: { error: 'name is in use' } } });
    expect(await openWith().start(spec)).toEqual(handle);
    expect(fly.asked('createMachine')).toHaveLength(2);
  });

  test('by no machine that can be found: the outcome is unknown, and no other name is tried', async () => {
    const { fly, substrate } = await openFly();
    const spec = specOf({ does: 'run' });
    fly.fail(
      'createMachine',
      { kind: 'answer', answer: { status: 409, body: { error: 'name is in use' } } },
      100,
    );
    expect(await failureOf(substrate.start(spec))).toMatchObject({
      errorClass: 'outcome_unknown',
      mayExist: true,
    });
    const names = fly.asked('createMachine').map(({ body }) => (body as { name: string }).name);
    expect(new Set(names)).toEqual(new Set([machineNameOf(spec)]));
  });

  test('by a foreign machine: the start is refused and the machine left alone', async () => {
    const { fly, substrate, spec, stranger } = await openWithStranger();
    const before = [stranger.name, stranger.config, stranger.events];
    const failure = await failureOf(substrate.start(spec));
    expect(failure).toMatchObject({ errorClass: 'config_invalid', transient: false });
    expect(failure.message).toContain(stranger.id);
    expect([stranger.name, stranger.config, stranger.events]).toEqual(before);
    expect(fly.asked('createMachine')).toHaveLength(1);
    expect([...fly.asked('stopMachine'), ...fly.asked('destroyMachine')]).toEqual([]);
    expect(await substrate.find(spec)).toEqual([]);
  });

  test('by a foreign machine with the marks of another run: the start is refused', async () => {
    const { substrate, spec, stranger } = await openWithStranger();
    const metadata = { managed_by: 'runfeed', workspace_id: spec.workspaceId, run_id: spec.runId };
    stranger.config = { image: IMAGE, metadata: { ...metadata, workspace_id: 'another' } };
    expect(await failureOf(substrate.start(spec))).toMatchObject({ errorClass: 'config_invalid' });
    stranger.config = { image: IMAGE, metadata: { ...metadata, managed_by: 'somebody' } };
    expect(await failureOf(substrate.start(spec))).toMatchObject({ errorClass: 'config_invalid' });
  });

  test('by a machine that has another name: the start is refused', async () => {
    const { fly, substrate, spec, stranger } = await openWithStranger('another-name');
    const error = `unique machine name violation, machine ID ${stranger.id} already exists with name "x"`;
    fly.fail('createMachine', { kind: 'answer', answer: { status: 409, body: { error } } }, 100);
    expect(await failureOf(substrate.start(spec))).toMatchObject({ errorClass: 'config_invalid' });
  });

  test('by a machine on an unreachable host, of which only the name can be read: it is adopted', async () => {
    const { fly, spec, handle, machine, openWith } = await openJob();
    fly.fail('listMachines', { kind: 'answer', answer: { status: 200, body: [] } });
    machine.hostStatus = 'unreachable';
    machine.config = { image: IMAGE };
    fly.fail('getMachine', {
      kind: 'answer',
      answer: { status: 200, body: { id: machine.id, name: machine.name, state: 'started' } },
    });
    expect(await openWith().start(spec)).toEqual(handle);
  });
});

describe('a run that was started before', () => {
  test('by a process that crashed before it stored the id: the machine is adopted without a create', async () => {
    const { fly, spec, handle, openWith } = await openJob();
    expect(await openWith().start(spec)).toEqual(handle);
    expect(fly.asked('createMachine')).toHaveLength(1);
  });

  test('and whose machine is destroyed does not run again', async () => {
    const { fly, spec, handle, openWith, substrate } = await openJob();
    await substrate.remove(handle);
    expect(await openWith().start(spec)).toEqual(handle);
    expect(fly.asked('createMachine')).toHaveLength(1);
  });

  test('from another spec is refused, and nothing changes', async () => {
    const { fly, spec, substrate, openWith, machine } = await openJob();
    const other = { ...spec, specHash: 'hash-2' };
    for (const each of [substrate, openWith()]) {
      expect(await failureOf(each.start(other))).toMatchObject({ errorClass: 'config_invalid' });
    }
    expect(fly.machine()).toBe(machine);
    expect(machine.state).toBe('created');
  });

  test('from another spec at the same moment is refused, too', async () => {
    const { substrate, made } = await openFly();
    const spec = specOf({ does: 'run' });
    const starts = [spec, { ...spec, specHash: 'hash-2' }].map((each) => substrate.start(each));
    const outcomes = (await Promise.allSettled(starts)).map(({ status }) => status);
    expect(outcomes).toEqual(['fulfilled', 'rejected']);
    expect(made(spec)).toBe(1);
  });
});
