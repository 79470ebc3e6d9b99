import { spawn } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { RunnerJobHandle } from '../../../src/contract/jobs.ts';
import { ownIdentity, type ProcessStat, statOf } from '../../../src/substrates/job-folders/proc.ts';
import { signalOne } from '../../../src/substrates/process/kill.ts';
import type { JobSpec } from '../../../src/substrates/substrate.ts';
import { startChild } from '../../store/children/start.ts';
import { releaseAfterwards } from '../../support/releases.ts';
import {
  createMachine,
  ended,
  folderOf,
  lives,
  type Machine,
  openFolders,
  pidOf,
  processesIn,
  stateOf,
  WAIT,
  written,
} from './machine.ts';
import { FOREVER, nodeScript } from './specs.ts';

/** Says when it is ready, and ignores SIGTERM. */
const STUBBORN = nodeScript(`
  process.on('SIGTERM', () => console.log('no'));
  setInterval(() => {}, 1000);
  require('fs').writeFileSync('ready', 'x');`);

const POLITE = nodeScript(`
  process.on('SIGTERM', () => { console.log('bye'); process.exit(7) });
  setInterval(() => {}, 1000);
  require('fs').writeFileSync('ready', 'x');`);

const LEAVES_AN_ESCAPEE = nodeScript(`
  const { pid } = require('child_process').spawn('sleep', ['600'], { detached: true, stdio: 'ignore' });
  require('fs').writeFileSync('escapee', String(pid));
  setInterval(() => {}, 1000);`);

const SERVER = '../../jobs/executors/children/server.ts';

async function startReady(machine: Machine, command: readonly string[]): Promise<RunnerJobHandle> {
  const handle = await machine.start(command);
  await written(machine, handle, 'ready');
  return handle;
}

/** Returns the handle of a run as soon as something exists under its name. */
async function found(machine: Machine, spec: JobSpec): Promise<RunnerJobHandle> {
  await expect.poll(() => machine.substrate.find(spec), { ...WAIT, interval: 1 }).toHaveLength(1);
  return (await machine.substrate.find(spec))[0]!;
}

/** Returns how many milliseconds after `since` a job's command ended, by the job's own file. */
function endedAfter(machine: Machine, handle: RunnerJobHandle, since: number): number {
  return Number(stateOf(machine, handle, 'exit.json').finishedAt) - since;
}

describe('stopping a job', () => {
  test('lets it end on its own, whatever its exit code', async () => {
    const machine = createMachine();
    const handle = await startReady(machine, POLITE);
    await machine.substrate.stop(handle);
    expect(await ended(machine.substrate, handle)).toEqual({ status: 'terminated', exitCode: 7 });
    expect(await machine.substrate.tailLogs?.(handle)).toBe('bye\n');
  });

  test('reports it as stopping until it has ended', async () => {
    const machine = createMachine();
    const handle = await startReady(machine, STUBBORN);
    await machine.substrate.stop(handle, { graceMs: 60_000 });
    expect(await machine.substrate.getStatus(handle)).toMatchObject({ status: 'stopping' });
  });

  test('kills a command that ignores SIGTERM after the grace period, and not before', async () => {
    const machine = createMachine();
    const handle = await startReady(machine, STUBBORN);
    const asked = Date.now();
    await machine.substrate.stop(handle, { graceMs: 700 });
    expect(await ended(machine.substrate, handle)).toEqual({ status: 'terminated', exitCode: 137 });
    expect(endedAfter(machine, handle, asked)).toBeGreaterThanOrEqual(700);
    expect(endedAfter(machine, handle, asked)).toBeLessThan(5_000);
    expect(await machine.substrate.tailLogs?.(handle)).toBe('no\n');
  });

  test('without a grace period kills at once, without SIGTERM', async () => {
    const machine = createMachine();
    const handle = await startReady(machine, STUBBORN);
    const asked = Date.now();
    await machine.substrate.stop(handle, { graceMs: 0 });
    expect(await ended(machine.substrate, handle)).toMatchObject({ status: 'terminated' });
    expect(endedAfter(machine, handle, asked)).toBeLessThan(5_000);
    expect(await machine.substrate.tailLogs?.(handle)).toBe('');
  });

  test('again can bring the kill forward but never delay it, and sends no second SIGTERM', async () => {
    const machine = createMachine();
    const handle = await startReady(machine, STUBBORN);
    const asked = Date.now();
    await machine.substrate.stop(handle, { graceMs: 120_000 });
    await expect.poll(() => machine.substrate.tailLogs?.(handle), WAIT).toBe('no\n');
    await machine.anotherServer().stop(handle, { graceMs: 600 });
    await machine.substrate.stop(handle, { graceMs: 120_000 });
    expect(stateOf(machine, handle, 'stop.json').killAt).toBeLessThan(asked + 60_000);
    expect(await ended(machine.substrate, handle)).toMatchObject({ status: 'terminated' });
    expect(endedAfter(machine, handle, asked)).toBeGreaterThanOrEqual(600);
    expect(endedAfter(machine, handle, asked)).toBeLessThan(20_000);
    expect(await machine.substrate.tailLogs?.(handle)).toBe('no\n');
  });

  test('still kills on time if the server dies within the grace period', async () => {
    const machine = createMachine();
    const server = startChild(SERVER, machine.root, JSON.stringify(STUBBORN), 'stop 1500');
    await server.printed(2);
    await server.kill();
    const [{ handle } = { handle: null }] = await machine.substrate.list();
    const { killAt } = stateOf(machine, handle!, 'stop.json');
    expect(await ended(machine.substrate, handle!)).toMatchObject({ status: 'terminated' });
    expect(endedAfter(machine, handle!, Number(killAt))).toBeLessThan(5_000);
  });

  test('works even if the server died after noting it: the shim finds the note', async () => {
    const machine = createMachine();
    const handle = await startReady(machine, POLITE);
    const stop = { killAt: Date.now() + 60_000, graceMs: 60_000 };
    writeFileSync(join(folderOf(machine, handle), 'stop.json'), JSON.stringify(stop));
    expect(await ended(machine.substrate, handle)).toEqual({ status: 'terminated', exitCode: 7 });
  });

  test('before any shim has begun prevents all shims from starting it', async () => {
    const machine = createMachine();
    const { workspaceId, runId, image, specHash, ...rest } = machine.spec(FOREVER);
    await openFolders(machine).make({ workspaceId, runId, image, specHash });
    const [handle] = await machine.substrate.find({ workspaceId, runId, specHash });
    await machine.substrate.stop(handle!);
    await machine.substrate.start({ workspaceId, runId, image, specHash, ...rest });
    expect(await machine.substrate.getStatus(handle!)).toEqual({ status: 'terminated' });
    expect(processesIn(machine.folder)).toEqual([]);
  });

  test('during its start ends it, whichever comes first', async () => {
    const machine = createMachine();
    for (let round = 0; round < 5; round += 1) {
      const spec = machine.spec(FOREVER);
      const started = machine.substrate.start(spec);
      const handle = await found(machine, spec);
      await setTimeout(round * 15);
      await machine.substrate.stop(handle);
      expect(await ended(machine.substrate, await started)).toMatchObject({ status: 'terminated' });
    }
    await expect.poll(() => processesIn(machine.folder), WAIT).toEqual([]);
  });

  test('succeeds for an unknown or malformed handle', async () => {
    const { substrate } = createMachine();
    for (const machineId of [`${'0'.repeat(32)}-${'0'.repeat(16)}`, '../../etc', '']) {
      const handle = { appName: substrate.host!, machineId };
      await substrate.stop(handle);
      await substrate.remove(handle);
      expect(await substrate.getStatus(handle)).toMatchObject({ missing: true });
      expect(await substrate.tailLogs?.(handle)).toBeNull();
    }
  });

  test('reaches processes that left the session', async () => {
    const machine = createMachine();
    const handle = await machine.start(LEAVES_AN_ESCAPEE);
    const escapee = Number(await written(machine, handle, 'escapee'));
    await machine.substrate.stop(handle);
    await ended(machine.substrate, handle);
    expect(lives(escapee)).toBe(false);
  });
});

describe('stopping a job whose shim was killed', () => {
  test('ends its command in time, and processes that left its session', async () => {
    const machine = createMachine();
    const handle = await machine.start(LEAVES_AN_ESCAPEE);
    const escapee = Number(await written(machine, handle, 'escapee'));
    const command = await pidOf(machine, handle, 'child.json');
    process.kill(await pidOf(machine, handle, 'pid.json'), 'SIGKILL');
    await expect.poll(async () => (await machine.substrate.getStatus(handle)).status, WAIT).toBe('failed');
    await machine.substrate.stop(handle, { graceMs: 500 });
    await expect.poll(() => [command, escapee].some(lives), WAIT).toBe(false);
    expect(await machine.substrate.getStatus(handle)).toEqual({ status: 'terminated' });
  });

  test('kills a command that ignores SIGTERM, by the server’s own clock', async () => {
    const machine = createMachine({ shimMs: 100 });
    const handle = await startReady(machine, STUBBORN);
    const command = await pidOf(machine, handle, 'child.json');
    process.kill(await pidOf(machine, handle, 'pid.json'), 'SIGKILL');
    await expect.poll(async () => (await machine.substrate.getStatus(handle)).status, WAIT).toBe('failed');
    // Without its shim nothing reads its output, so it may be unable to write.
    await machine.substrate.stop(handle, { graceMs: 300 });
    await expect.poll(() => lives(command), WAIT).toBe(false);
  });

  test('or is stuck ends both the command and its shim', async () => {
    const machine = createMachine({ shimMs: 200 });
    const handle = await startReady(machine, STUBBORN);
    const [shim, command] = [
      await pidOf(machine, handle, 'pid.json'),
      await pidOf(machine, handle, 'child.json'),
    ];
    process.kill(shim, 'SIGSTOP');
    await machine.substrate.stop(handle, { graceMs: 100 });
    await expect.poll(() => [shim, command].some(lives), WAIT).toBe(false);
    expect(await machine.substrate.getStatus(handle)).toEqual({ status: 'terminated' });
  });
});

describe('removing a job', () => {
  test('ends its processes, and leaves neither process nor file', async () => {
    const machine = createMachine();
    const handle = await machine.start(LEAVES_AN_ESCAPEE);
    const escapee = Number(await written(machine, handle, 'escapee'));
    await machine.substrate.remove(handle);
    await machine.substrate.remove(handle);
    expect(lives(escapee)).toBe(false);
    expect(processesIn(machine.folder)).toEqual([]);
    expect(readdirSync(machine.folder)).toEqual([]);
    expect(await machine.substrate.list()).toEqual([]);
  });

  test('during its start leaves nothing either', async () => {
    const machine = createMachine();
    for (let round = 0; round < 5; round += 1) {
      const spec = machine.spec(FOREVER);
      const started = machine.substrate.start(spec).catch(() => null);
      const handle = await found(machine, spec);
      await setTimeout(round * 15);
      await machine.substrate.remove(handle);
      await started;
      await expect.poll(() => processesIn(machine.folder), WAIT).toEqual([]);
      expect(await machine.substrate.find(spec)).toEqual([]);
    }
  });

  test('from two servers at once succeeds for both', async () => {
    const machine = createMachine();
    const handle = await machine.start(FOREVER);
    await Promise.all([machine.substrate.remove(handle), machine.anotherServer().remove(handle)]);
    expect(existsSync(folderOf(machine, handle))).toBe(false);
  });
});

test('unrelated processes that got a job’s pids are left alone', async () => {
  const machine = createMachine();
  const handle = await machine.start(FOREVER);
  await expect.poll(async () => (await machine.substrate.getStatus(handle)).status, WAIT).toBe('running');
  const [shim, command] = [
    await pidOf(machine, handle, 'pid.json'),
    await pidOf(machine, handle, 'child.json'),
  ];
  for (const pid of [shim, command]) process.kill(pid, 'SIGKILL');
  await expect.poll(() => [shim, command].some(lives), WAIT).toBe(false);
  // As if the pids had been reused: the same pids, but other start times.
  const strangers = [forge(machine, handle, 'pid.json'), forge(machine, handle, 'child.json')];
  expect(await machine.substrate.getStatus(handle)).toMatchObject({ terminalErrorClass: 'lost' });
  await machine.substrate.stop(handle, { graceMs: 0 });
  await machine.anotherServer({ shimMs: 0 }).stop(handle, { graceMs: 0 });
  await machine.substrate.remove(handle);
  signalOne(strangers[0]!.pid, strangers[0]!.startTime - 1, 'SIGKILL');
  // A kill only shows a moment later.
  await setTimeout(100);
  expect(strangers.map(({ pid }) => lives(pid))).toEqual([true, true]);
});

/** Makes a job's file name an unrelated process that started later than the file says. */
function forge(machine: Machine, handle: RunnerJobHandle, name: 'pid.json' | 'child.json'): ProcessStat {
  const { pid = 0 } = spawn('sleep', ['600'], { detached: true, stdio: 'ignore' });
  releaseAfterwards(() => process.kill(pid, 'SIGKILL'));
  const stat = statOf(pid)!;
  const forged = { ...ownIdentity(), pid, startTime: stat.startTime - 1 };
  writeFileSync(join(folderOf(machine, handle), name), JSON.stringify(forged));
  return stat;
}
