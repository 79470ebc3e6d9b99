import { execFileSync } from 'node:child_process';
import { rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createMachine, ended, folderOf, type Machine, WAIT, written } from './machine.ts';
import { nodeScript } from './specs.ts';

async function logged(machine: Machine, script: string, lines?: number): Promise<string | null | undefined> {
  const handle = await machine.start(nodeScript(script));
  await ended(machine.substrate, handle);
  return machine.substrate.tailLogs?.(handle, lines);
}

const NUMBERS = 'for (let i = 1; i <= 1000; i += 1) console.log(i);';

describe('the log of a job', () => {
  test('has what it wrote to both outputs, and is complete once the verdict exists', async () => {
    const text = await logged(createMachine(), 'console.log("one"); console.error("two")');
    expect(text?.split('\n').sort()).toEqual(['', 'one', 'two']);
  });

  test.each([
    [1, '1000\n'],
    [3, '998\n999\n1000\n'],
    [0, ''],
  ])('returns its last %i lines', async (lines, expected) => {
    expect(await logged(createMachine(), NUMBERS, lines)).toBe(expected);
  });

  test('returns a hundred lines by default, including an unfinished last one', async () => {
    const text = await logged(createMachine(), `${NUMBERS} process.stdout.write('half')`);
    expect(text?.split('\n').length).toBe(100);
    expect(text?.endsWith('\n1000\nhalf')).toBe(true);
  });

  test('is empty for a command that wrote nothing', async () => {
    expect(await logged(createMachine(), '')).toBe('');
  });

  test('keeps the newest output when it is full, across the two halves', async () => {
    const machine = createMachine({ logBytes: 4096 });
    const script = `let i = 0; const next = () => process.stdout.write(String(++i).padStart(99) + '\\n', () => i < 10_000 && next()); next();`;
    const handle = await machine.start(nodeScript(script));
    await ended(machine.substrate, handle);
    for (const name of ['log', 'log.1']) {
      expect(statSync(join(folderOf(machine, handle), name)).size).toBeLessThanOrEqual(4096 + 65_536);
    }
    const numbers = (await machine.substrate.tailLogs?.(handle, 20_000))?.trimEnd().split('\n').map(Number);
    expect(numbers?.at(-1)).toBe(10_000);
    expect(numbers?.length).toBeLessThan(10_000);
    expect(numbers).toEqual(numbers?.map((_, index) => 10_001 - numbers.length + index));
  });

  test('returns no more bytes than its limit, and only whole lines', async () => {
    const machine = createMachine({ tailBytes: 100 });
    const text = await logged(machine, NUMBERS, 10_000);
    expect(text!.length).toBeLessThanOrEqual(100);
    expect(text!.length).toBeGreaterThan(90);
    expect(text!.split('\n')[0]).toMatch(/^9\d\d$/);
  });

  test('comes with the requested margin before the part to show', async () => {
    const machine = createMachine({ tailBytes: 100 });
    const handle = await machine.start(nodeScript(NUMBERS));
    await ended(machine.substrate, handle);
    for (const [lines, shown] of [
      [2, 9],
      [10_000, 99],
    ] as const) {
      const tail = await machine.substrate.logTail?.(handle, lines, 50);
      expect(tail?.from).toBe(50);
      expect(tail?.bytes.length).toBeGreaterThanOrEqual(50 + shown - 5);
      expect(tail?.bytes.length).toBeLessThanOrEqual(150);
      expect(tail?.bytes.toString('utf8', 49)).toMatch(/^\n\d+\n(\d+\n)*$/);
    }
    expect((await machine.substrate.logTail?.(handle, 10, 10_000))?.bytes.length).toBe(3_893);
  });

  test('returns the end of a single line that is longer than the limit', async () => {
    expect(await logged(createMachine({ tailBytes: 10 }), "process.stdout.write('x'.repeat(1000))")).toBe(
      'x'.repeat(10),
    );
  });
});

describe('the resource use of a job', () => {
  test('is measured over its whole group, with CPU time since the last look', async () => {
    const machine = createMachine();
    const busy = nodeScript(`
      const { spawn } = require('child_process');
      spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' });
      process.on('message', () => {});
      require('fs').writeFileSync('ready', 'x');
      setInterval(() => {}, 1000);`);
    const handle = await machine.start(busy);
    await written(machine, handle, 'ready');
    const stats = async () => (await machine.substrate.getStatus(handle)).resourceStats;
    // The group's leader idles, so what is measured is the grandchild's use.
    await expect.poll(async () => (await stats())?.cpuPercent ?? 0, WAIT).toBeGreaterThan(5);
    await expect.poll(async () => (await stats())?.memoryMb ?? 0, WAIT).toBeGreaterThan(60);
    expect((await stats())?.cpuPercent).toBeLessThan(200);
    expect(await stats()).not.toHaveProperty('networkRxBytes');
  });
});

test('a damaged file of a job is a transient error, not a verdict', async () => {
  const machine = createMachine();
  const handle = await machine.start(['sh', '-c', 'exit 0']);
  await ended(machine.substrate, handle);
  const file = join(folderOf(machine, handle), 'exit.json');
  writeFileSync(file, '{"exitCode":"0"}');
  await expect(machine.substrate.getStatus(handle)).rejects.toMatchObject({
    failure: { errorClass: 'substrate_error', transient: true },
  });
  writeFileSync(file, '{');
  await expect(machine.substrate.getStatus(handle)).rejects.toMatchObject({ name: 'SubstrateError' });
  // A pipe in its place must not be waited for, nor a link to what has no end.
  for (const replace of [() => execFileSync('mkfifo', [file]), () => symlinkSync('/dev/zero', file)]) {
    rmSync(file);
    replace();
    await expect(machine.substrate.getStatus(handle)).rejects.toMatchObject({
      failure: { errorClass: 'substrate_error', transient: true },
    });
  }
  const log = join(folderOf(machine, handle), 'log');
  rmSync(log, { force: true });
  execFileSync('mkfifo', [log]);
  expect(await machine.substrate.tailLogs?.(handle, 10)).toBeNull();
  rmSync(file);
  writeFileSync(
    file,
    JSON.stringify({ exitCode: 0, signal: null, error: null, cause: 'own', finishedAt: 1 }),
  );
});
