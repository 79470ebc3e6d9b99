import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { claimStart } from '../../../src/substrates/job-folders/files.ts';
import { createProcessSubstrate } from '../../../src/substrates/process/substrate.ts';
import { startChild } from '../../store/children/start.ts';
import {
  createMachine,
  ended,
  folderOf,
  lives,
  openFolders,
  pidOf,
  processesIn,
  WAIT,
  written,
} from './machine.ts';
import { FOREVER, jobSpec, nodeScript, OWNER } from './specs.ts';

/** Appends an x to a file each time it is started. */
const COUNTED = nodeScript("require('fs').appendFileSync('starts', 'x'); setInterval(() => {}, 1000)");

const SERVER = '../../jobs/executors/children/server.ts';

describe('starting a job', () => {
  test('twenty times at once starts one process and returns equal handles', async () => {
    const machine = createMachine();
    const spec = machine.spec(COUNTED);
    const handles = await Promise.all(Array.from({ length: 20 }, () => machine.substrate.start(spec)));
    expect(new Set(handles.map((handle) => JSON.stringify(handle))).size).toBe(1);
    expect(await written(machine, handles[0]!, 'starts')).toBe('x');
  });

  test('from two servers at once starts one process, and both look after it', async () => {
    const machine = createMachine();
    const other = machine.anotherServer();
    const spec = machine.spec(COUNTED);
    const servers = [machine.substrate, other, machine.substrate, other];
    const handles = await Promise.all(servers.map(({ start }) => start(spec)));
    const [handle] = handles;
    expect(new Set(handles.map(({ machineId }) => machineId)).size).toBe(1);
    await expect.poll(() => processesIn(machine.folder).length, WAIT).toBe(2);
    expect(await written(machine, handle!, 'starts')).toBe('x');
    await other.stop(handle!, { graceMs: 0 });
    expect(await ended(machine.substrate, handle!)).toMatchObject({ status: 'terminated' });
  });

  test('again after the run has ended starts nothing and returns the stored handle', async () => {
    const machine = createMachine();
    const spec = machine.spec(nodeScript("require('fs').appendFileSync('starts', 'x')"));
    const handle = await machine.substrate.start(spec);
    await ended(machine.substrate, handle);
    expect(await machine.substrate.start(spec)).toEqual(handle);
    expect(await machine.anotherServer().start(spec)).toEqual(handle);
    expect(await machine.substrate.find(spec)).toEqual([handle]);
    await expect.poll(() => processesIn(machine.folder), WAIT).toEqual([]);
    expect(await written(machine, handle, 'starts')).toBe('x');
  });

  test('returns a handle that goes through JSON unchanged', async () => {
    const machine = createMachine();
    const handle = await machine.start(FOREVER);
    const stored: unknown = JSON.parse(JSON.stringify(handle));
    expect(stored).toEqual(handle);
    expect(handle.appName).toBe(machine.substrate.host);
  });

  test('of the same run with another spec is refused and changes nothing', async () => {
    const machine = createMachine();
    const spec = machine.spec(FOREVER);
    const handle = await machine.substrate.start(spec);
    await expect(machine.substrate.start({ ...spec, specHash: 'two' })).rejects.toMatchObject({
      failure: { errorClass: 'config_invalid', transient: false },
    });
    expect(await machine.substrate.find(spec)).toEqual([handle]);
  });

  test('with an image that has no command is refused permanently and leaves nothing', async () => {
    const machine = createMachine();
    const spec = jobSpec(['nowhere']);
    await expect(machine.substrate.start(spec)).rejects.toMatchObject({
      failure: { errorClass: 'config_invalid', transient: false, mayExist: false },
    });
    expect(readdirSync(machine.folder)).toEqual([]);
  });

  test('that already runs works on a server that no longer has its command', async () => {
    const machine = createMachine();
    const spec = machine.spec(FOREVER);
    const handle = await machine.substrate.start(spec);
    const options = { folder: machine.root, owner: OWNER, environment: process.env };
    const newer = createProcessSubstrate({ ...options, commands: new Map() });
    expect(await newer.start(spec)).toEqual(handle);
  });

  test('works for runs of the same id in two workspaces', async () => {
    const machine = createMachine();
    const one = await machine.start(FOREVER, { runId: 'same', workspaceId: 'one' });
    const two = await machine.start(FOREVER, { runId: 'same', workspaceId: 'two' });
    expect(one.machineId).not.toBe(two.machineId);
    const listed = await machine.substrate.list();
    expect(listed.map(({ workspaceId, runId }) => `${workspaceId}/${runId}`).sort()).toEqual([
      'one/same',
      'two/same',
    ]);
    expect(Math.abs(listed[0]!.createdAt - Date.now())).toBeLessThan(60_000);
  });
});

describe('the environment of a command', () => {
  test('is its spec’s, a few variables of the server’s, and its machine id', async () => {
    process.env.SECRET_OF_THE_SERVER = 'not for jobs';
    const machine = createMachine();
    delete process.env.SECRET_OF_THE_SERVER;
    const print = nodeScript("require('fs').writeFileSync('env', JSON.stringify(process.env))");
    const spec = machine.spec(print, { runId: 'r', env: { RUNFEED_RUN_ID: 'r', TOKEN: 'of-the-run' } });
    const handle = await machine.substrate.start(spec);
    expect(JSON.parse(await written(machine, handle, 'env'))).toMatchObject({
      RUNFEED_RUN_ID: 'r',
      RUNFEED_MACHINE_ID: handle.machineId,
      TOKEN: 'of-the-run',
      PATH: process.env.PATH,
    });
    expect(await written(machine, handle, 'env')).not.toContain('not for jobs');
  });

  test('is not stored where a secret could be read, and no file is readable for others', async () => {
    const machine = createMachine();
    const spec = machine.spec(nodeScript('console.log("out"); setInterval(() => {}, 1000)'), {
      env: { TOKEN: 'swordfish' },
      secrets: ['swordfish'],
    });
    const handle = await machine.substrate.start(spec);
    await expect.poll(() => machine.substrate.tailLogs?.(handle), WAIT).toBe('out\n');
    expect(statSync(machine.folder).mode & 0o777).toBe(0o700);
    const folder = folderOf(machine, handle);
    const files = readdirSync(folder).filter((name) => name !== 'work');
    expect(files).toContain('log');
    for (const name of files) {
      expect(readFileSync(join(folder, name), 'utf8')).not.toContain('swordfish');
      expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
    }
    const shim = await pidOf(machine, handle, 'pid.json');
    expect(readFileSync(`/proc/${shim}/environ`, 'utf8')).not.toContain('swordfish');
    expect(readFileSync(`/proc/${shim}/cmdline`, 'utf8')).not.toContain('swordfish');
  });
});

describe('a server that is killed', () => {
  // From before the folder is created until after the command runs, which is about 80 ms on a quiet machine.
  test.each([0, 10, 20, 30, 40, 50, 60, 70, 80, 100, 130])(
    '%i ms into a start leaves a job that a new server starts or finds, once in all',
    async (delay) => {
      const machine = createMachine();
      const spec = machine.spec(COUNTED, { runId: 'run-1' });
      const server = startChild(SERVER, machine.root, JSON.stringify(COUNTED));
      await server.printed(1);
      await setTimeout(delay);
      await server.kill();
      const handle = await machine.substrate.start(spec);
      await written(machine, handle, 'starts');
      // The shim and its command: all slower shims have exited.
      await expect.poll(() => processesIn(machine.folder).length, WAIT).toBe(2);
      expect(await written(machine, handle, 'starts')).toBe('x');
      expect(await machine.substrate.getStatus(handle)).toMatchObject({ status: 'running' });
      expect(await machine.substrate.list()).toHaveLength(1);
    },
  );

  test('between creating the folder and starting the shim leaves a folder that the next start uses', async () => {
    const machine = createMachine();
    const { workspaceId, runId, image, specHash, ...spec } = machine.spec(COUNTED);
    await openFolders(machine).make({ workspaceId, runId, image, specHash });
    const [found] = await machine.substrate.find({ workspaceId, runId, specHash });
    expect(await machine.substrate.getStatus(found!)).toMatchObject({ status: 'provisioning' });
    expect(await machine.substrate.start({ workspaceId, runId, image, specHash, ...spec })).toEqual(found);
    expect(await written(machine, found!, 'starts')).toBe('x');
  });

  test('long after the start leaves a running process that a new server looks after', async () => {
    const machine = createMachine();
    const command = nodeScript("setInterval(() => console.log('line'), 10)");
    const server = startChild(SERVER, machine.root, JSON.stringify(command));
    await server.printed(2);
    await server.kill();
    const handle = await machine.substrate.start(machine.spec(command, { runId: 'run-1' }));
    const logged = async () => (await machine.substrate.tailLogs?.(handle, 10_000))?.length ?? 0;
    const before = await logged();
    await expect.poll(logged, WAIT).toBeGreaterThan(before + 50);
    expect(await machine.substrate.getStatus(handle)).toMatchObject({ status: 'running' });
    await machine.substrate.stop(handle);
    expect(await ended(machine.substrate, handle)).toMatchObject({ status: 'terminated', exitCode: 143 });
  });

  test('or only closed leaves its jobs alone', async () => {
    const machine = createMachine();
    const other = machine.anotherServer();
    const handle = await other.start(machine.spec(FOREVER));
    await other.close();
    expect(lives(await pidOf(machine, handle, 'pid.json'))).toBe(true);
  });
});

test('only one of several claims to start a job succeeds', async () => {
  const { folder } = createMachine();
  const claims = Array.from({ length: 5 }, (_, pid) =>
    claimStart(folder, { bootId: 'b', pid, startTime: 1 }),
  );
  expect((await Promise.all(claims)).filter((won) => won)).toEqual([true]);
});

test('a removed run can be started again, under another handle', async () => {
  const machine = createMachine();
  const spec = machine.spec(FOREVER);
  const first = await machine.substrate.start(spec);
  await machine.substrate.remove(first);
  const second = await machine.substrate.start(spec);
  expect(second.machineId).not.toBe(first.machineId);
  expect(await machine.substrate.getStatus(first)).toMatchObject({ missing: true });
  await machine.substrate.remove(first);
  expect(await machine.substrate.getStatus(second)).not.toHaveProperty('missing');
});

test('a job of another host is reported as host_lost and not looked for', async () => {
  const { root, substrate } = createMachine();
  const options = { folder: root, owner: OWNER, commands: new Map() };
  const elsewhere = createProcessSubstrate({ ...options, hostId: 'elsewhere' });
  const handle = { appName: 'elsewhere', machineId: 'x' };
  expect(await elsewhere.getStatus(handle)).toMatchObject({ missing: true });
  await expect(substrate.getStatus(handle)).rejects.toMatchObject({
    failure: { errorClass: 'host_lost', transient: true },
  });
});
