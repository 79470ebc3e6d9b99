import { describe, expect, test } from 'vitest';
import { appNameOf } from '../../../src/substrates/fly-api/names.ts';
import { freshRun } from '../../suites/executor.ts';
import { makeMachine } from '../../support/fake-fly/machine.ts';
import { failureOf, IMAGE, openFly, openJob, openRunningJob, specOf } from './fly-harness.ts';

const APP = appNameOf('runfeed', 'acme', 'workspace-1');
const MISSING = { kind: 'answer', answer: { status: 404, body: { error: 'not found' } } } as const;
const UNAVAILABLE = { kind: 'answer', answer: { status: 503, body: '' } } as const;

describe('a workspace’s app', () => {
  test('is created once and then remembered', async () => {
    const { fly, substrate } = await openFly();
    for (let runs = 0; runs < 3; runs += 1) await substrate.start(specOf({ does: 'run' }));
    expect(fly.asked('createApp')).toHaveLength(1);
    expect(fly.asked('getApp')).toHaveLength(2);
  });

  test('is used if another server creates it at the same moment', async () => {
    const { fly, substrate, made } = await openFly();
    fly.fail('getApp', MISSING);
    fly.world.apps.set(APP, { name: APP, org: 'acme', network: null, lag: 0 });
    const spec = specOf({ does: 'run' });
    await substrate.start(spec);
    expect(made(spec)).toBe(1);
  });

  test.each([
    ['the answer to its creation is lost', { kind: 'done, then reset' }],
    ['its creation fails once', UNAVAILABLE],
  ] as const)('exists in the end when %s', async (_, fault) => {
    const { fly, substrate, made } = await openFly();
    fly.fail('createApp', fault);
    const spec = specOf({ does: 'run' });
    await substrate.start(spec);
    expect(made(spec)).toBe(1);
  });

  test('is waited for if it is not known everywhere at once', async () => {
    const { fly, substrate, made } = await openFly();
    fly.world.appLag = 2;
    const spec = specOf({ does: 'run' });
    await substrate.start(spec);
    expect(made(spec)).toBe(1);
    expect(fly.asked('createApp')).toHaveLength(1);
  });

  test('is created again once if it is gone', async () => {
    const { fly, substrate, made } = await openJob();
    fly.world.apps.clear();
    const spec = specOf({ does: 'run' });
    await substrate.start(spec);
    expect(made(spec)).toBe(1);
    fly.fail('createMachine', MISSING, 2);
    expect(await failureOf(substrate.start(specOf({ does: 'run' })))).toMatchObject({
      errorClass: 'config_invalid',
    });
  });

  test('is not used if its name belongs to another organization, and no other name is tried', async () => {
    const { fly, substrate } = await openFly();
    fly.world.apps.set(APP, { name: APP, org: 'others', network: null, lag: 0 });
    const failure = await failureOf(substrate.start(specOf({ does: 'run' })));
    expect(failure).toMatchObject({ errorClass: 'config_invalid', transient: false });
    expect(failure.message).toContain('appPrefix');
    expect(fly.asked('createApp')).toEqual([]);
  });

  test('fails with auth if the token may not read any app', async () => {
    const { fly, substrate } = await openFly();
    const forbidden = { kind: 'answer', answer: { status: 403, body: { error: 'not authorized' } } } as const;
    fly.fail('getApp', forbidden);
    fly.fail('listApps', forbidden);
    expect(await failureOf(substrate.start(specOf({ does: 'run' })))).toMatchObject({
      errorClass: 'auth',
      transient: true,
    });
  });

  test('gets back its own cookie, and no other app’s', async () => {
    const { fly, substrate } = await openFly();
    const handle = await substrate.start(specOf({ does: 'run' }));
    const other = await substrate.start(specOf({ does: 'run' }, { ...freshRun(), workspaceId: 'other' }));
    await substrate.getStatus(handle);
    expect(fly.requests.at(-1)?.headers.cookie).toBe(`fly_flaps_affinity=host-of-${handle.appName}`);
    await substrate.getStatus(other);
    expect(fly.requests.at(-1)?.headers.cookie).toBe(`fly_flaps_affinity=host-of-${other.appName}`);
    await substrate.list();
    expect(fly.asked('listApps').at(-1)?.headers).not.toHaveProperty('cookie');
  });
});

describe('the list of all machines that runfeed created', () => {
  test('has the machines of all workspaces and no others', async () => {
    const { fly, substrate } = await openFly();
    const runs = [freshRun(), { ...freshRun(), workspaceId: 'other' }];
    for (const run of runs) await substrate.start(specOf({ does: 'run' }, run));
    for (const app of ['others', `runfeed-staging-${'a'.repeat(20)}`, APP]) {
      fly.world.apps.set(app, { name: app, org: 'acme', network: null, lag: 0 });
      const metadata = { managed_by: 'runfeed', workspace_id: 'w', run_id: 'r' };
      const config = { image: IMAGE, ...(app !== APP && { metadata }) };
      fly.world.machines.push(makeMachine(app, 'a-machine', 'ams', config, 0));
    }
    const listed = (await substrate.list()).map(({ workspaceId, runId }) => ({ workspaceId, runId }));
    expect(listed).toHaveLength(2);
    expect(listed).toEqual(expect.arrayContaining(runs));
  });

  test('has what could be read if one app cannot be read, and logs the failure', async () => {
    const { fly, substrate, logged } = await openFly();
    const runs = [freshRun(), { ...freshRun(), workspaceId: 'other' }];
    for (const run of runs) await substrate.start(specOf({ does: 'run' }, run));
    fly.fail('listMachines', UNAVAILABLE, 4);
    expect(await substrate.list()).toHaveLength(1);
    expect(logged).toEqual([expect.stringContaining('Fly answered 503')]);
  });

  test('fails if the apps cannot be listed', async () => {
    const { fly, substrate } = await openJob();
    fly.fail('listApps', UNAVAILABLE, 4);
    expect(await failureOf(substrate.list())).toMatchObject({ transient: true });
  });

  test('may be empty although nothing is gone: a look at the machine still finds it', async () => {
    const { fly, substrate, handle, spec } = await openRunningJob();
    fly.world.emptyLists = 6;
    for (let polls = 0; polls < 3; polls += 1) {
      expect(await substrate.list()).toEqual([]);
      expect(await substrate.find(spec)).toEqual([]);
      expect(await substrate.getStatus(handle)).toMatchObject({ status: 'running' });
    }
    expect(await substrate.list()).toHaveLength(1);
  });

  test('treats a machine of unknown age as new', async () => {
    const { substrate, machine } = await openJob();
    Object.assign(machine, { createdAt: 'yesterday' });
    const before = Date.now();
    expect((await substrate.list())[0]?.createdAt).toBeGreaterThanOrEqual(before);
  });
});
