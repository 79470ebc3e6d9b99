import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { statOf } from '../../../src/substrates/job-folders/proc.ts';
import { startChild } from '../../store/children/start.ts';
import {
  createMachine,
  ended,
  folderOf,
  lives,
  pidOf,
  processesIn,
  stateOf,
  WAIT,
  written,
} from './machine.ts';
import { FOREVER, nodeScript } from './specs.ts';

const SERVER = '../../jobs/executors/children/server.ts';

describe('a command that ends on its own', () => {
  test.each([
    ['exit 0', 'terminated', undefined, 0],
    ['exit 1', 'failed', 'exit_nonzero', 1],
    ['exit 126', 'failed', 'start_failed', 126],
    ['exit 127', 'failed', 'start_failed', 127],
    // An exit code that a shell takes from its killed child does not prove that the shell was killed.
    ['exit 137', 'failed', 'exit_nonzero', 137],
    ['kill -KILL $$', 'failed', 'killed_by_signal', 137],
    ['kill -TERM $$', 'failed', 'killed_by_signal', 143],
  ])('with `%s` is %s (%s)', async (script, status, terminalErrorClass, exitCode) => {
    const machine = createMachine();
    const seen = await ended(machine.substrate, await machine.start(['sh', '-c', script]));
    expect(seen).toMatchObject({ status, exitCode });
    expect(seen.terminalErrorClass).toBe(terminalErrorClass);
    expect(typeof seen.terminalErrorMessage).toBe(status === 'failed' ? 'string' : 'undefined');
    await expect.poll(() => processesIn(machine.folder), WAIT).toEqual([]);
  });

  test('keeps its verdict if a stop comes afterwards', async () => {
    const machine = createMachine();
    const handle = await machine.start(['sh', '-c', 'exit 3']);
    const verdict = await ended(machine.substrate, handle);
    await machine.substrate.stop(handle);
    await machine.substrate.stop(handle, { graceMs: 0 });
    expect(await machine.substrate.getStatus(handle)).toEqual(verdict);
  });

  test('ends the grandchildren that hold its output, and its verdict does not wait for them', async () => {
    const machine = createMachine();
    const handle = await machine.start(['sh', '-c', 'sleep 600 & echo $! > grandchild; exit 4']);
    expect(await ended(machine.substrate, handle)).toMatchObject({ exitCode: 4 });
    expect(lives(Number(await written(machine, handle, 'grandchild')))).toBe(false);
  });

  test('ends processes of its group that wiped their environment', async () => {
    const machine = createMachine();
    const handle = await machine.start(['sh', '-c', 'env -i sleep 600 & echo $! > wiped; exit 4']);
    expect(await ended(machine.substrate, handle)).toMatchObject({ exitCode: 4 });
    expect(lives(Number(await written(machine, handle, 'wiped')))).toBe(false);
  });

  test('ends processes that left its session', async () => {
    const machine = createMachine();
    const handle = await machine.start(
      nodeScript(`
        const { pid } = require('child_process').spawn('sleep', ['600'], { detached: true, stdio: 'inherit' });
        require('fs').writeFileSync('escapee', String(pid));
        process.exit(5);`),
    );
    expect(await ended(machine.substrate, handle)).toMatchObject({ exitCode: 5 });
    expect(lives(Number(await written(machine, handle, 'escapee')))).toBe(false);
  });
});

describe('a command that cannot be started', () => {
  test.each([
    ['does not exist', ['/nowhere/program'], 'ENOENT'],
    ['is not executable', ['/etc/passwd'], 'EACCES'],
    ['is longer than the system permits', ['echo', 'x'.repeat(4_000_000)], 'E2BIG'],
  ])('because it %s fails with start_failed', async (_, command, code) => {
    const machine = createMachine();
    const seen = await ended(machine.substrate, await machine.start(command));
    expect(seen).toMatchObject({ status: 'failed', terminalErrorClass: 'start_failed' });
    expect(seen.terminalErrorMessage).toContain(code);
    await expect.poll(() => processesIn(machine.folder), WAIT).toEqual([]);
  });
});

describe('the maximum run duration', () => {
  test('is enforced without a server, and is the reason for the end', async () => {
    const machine = createMachine();
    const stubborn = nodeScript("process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)");
    const server = startChild(SERVER, machine.root, JSON.stringify(stubborn), 'limit 600');
    await server.printed(2);
    await server.kill();
    const [{ handle } = { handle: null }] = await machine.substrate.list();
    expect(await ended(machine.substrate, handle!)).toMatchObject({
      status: 'failed',
      terminalErrorClass: 'max_duration_exceeded',
    });
  });

  test('gives the command time to end on its own', async () => {
    const machine = createMachine();
    const polite = nodeScript(
      "process.on('SIGTERM', () => { console.log('bye'); process.exit(0) }); setInterval(() => {}, 1000)",
    );
    const handle = await machine.start(polite, { maxRunDurationMs: 500 });
    expect(await ended(machine.substrate, handle)).toMatchObject({
      terminalErrorClass: 'max_duration_exceeded',
      exitCode: 0,
    });
    expect(await machine.substrate.tailLogs?.(handle)).toBe('bye\n');
  });

  test('does not affect a run that ended earlier', async () => {
    const machine = createMachine();
    const server = startChild(SERVER, machine.root, JSON.stringify(['sh', '-c', 'exit 6']), 'limit 60000');
    await server.printed(2);
    await server.kill();
    const [{ handle } = { handle: null }] = await machine.substrate.list();
    expect(await ended(machine.substrate, handle!)).toMatchObject({
      terminalErrorClass: 'exit_nonzero',
      exitCode: 6,
    });
  });
});

describe('a job without its shim', () => {
  test('is lost, and what it left running ends when it is removed', async () => {
    const machine = createMachine();
    const handle = await machine.start(FOREVER);
    await expect.poll(async () => (await machine.substrate.getStatus(handle)).status, WAIT).toBe('running');
    const command = await pidOf(machine, handle, 'child.json');
    process.kill(await pidOf(machine, handle, 'pid.json'), 'SIGKILL');
    expect(await ended(machine.substrate, handle)).toMatchObject({ terminalErrorClass: 'lost' });
    expect(lives(command)).toBe(true);
    await machine.substrate.remove(handle);
    expect(lives(command)).toBe(false);
  });

  test('is lost even while the shim is a zombie, which can still be signaled', async () => {
    const machine = createMachine();
    const server = startChild(SERVER, machine.root, JSON.stringify(FOREVER));
    await server.printed(2);
    const [{ handle } = { handle: null }] = await machine.substrate.list();
    const shim = await pidOf(machine, handle!, 'pid.json');
    process.kill(Number(server.lines[1]), 'SIGSTOP');
    process.kill(shim, 'SIGKILL');
    await expect.poll(() => statOf(shim)?.state, WAIT).toBe('Z');
    expect(process.kill(shim, 0)).toBe(true);
    expect(await machine.substrate.getStatus(handle!)).toMatchObject({ terminalErrorClass: 'lost' });
  });

  test('is lost with its host if the machine was restarted', async () => {
    const machine = createMachine();
    const handle = await machine.start(FOREVER);
    const claim = stateOf(machine, handle, 'pid.json');
    const file = join(folderOf(machine, handle), 'pid.json');
    writeFileSync(file, JSON.stringify({ ...claim, bootId: 'another boot' }));
    expect(await machine.substrate.getStatus(handle)).toMatchObject({
      status: 'failed',
      terminalErrorClass: 'host_lost',
    });
    writeFileSync(file, JSON.stringify(claim));
  });
});

test('a zombie in the group neither delays a job nor counts as alive', async () => {
  const machine = createMachine();
  const script = '(until [ -e go ]; do sleep 0.02; done) & echo $! > zombie; exec sleep 600';
  const handle = await machine.start(['sh', '-c', script]);
  const zombie = Number(await written(machine, handle, 'zombie'));
  const leader = await pidOf(machine, handle, 'child.json');
  // A shell would reap its child; what takes its place does not.
  await expect.poll(() => readFileSync(`/proc/${leader}/comm`, 'utf8'), WAIT).toBe('sleep\n');
  writeFileSync(join(folderOf(machine, handle), 'work', 'go'), '');
  await expect.poll(() => statOf(zombie)?.state, WAIT).toBe('Z');
  expect(await machine.substrate.getStatus(handle)).toMatchObject({ status: 'running' });
  process.kill(leader, 'SIGKILL');
  expect(await ended(machine.substrate, handle)).toMatchObject({ terminalErrorClass: 'killed_by_signal' });
});

test('removing a folder by hand ends its job', async () => {
  const machine = createMachine();
  const handle = await machine.start(FOREVER);
  await expect.poll(async () => (await machine.substrate.getStatus(handle)).status, WAIT).toBe('running');
  const command = await pidOf(machine, handle, 'child.json');
  rmSync(folderOf(machine, handle), { recursive: true });
  await expect.poll(() => lives(command), WAIT).toBe(false);
  expect(await machine.substrate.getStatus(handle)).toMatchObject({ missing: true });
});
