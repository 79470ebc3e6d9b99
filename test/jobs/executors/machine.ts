import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { RunnerJobHandle } from '../../../src/contract/jobs.ts';
import { ownerFolder } from '../../../src/jobs/executors/process/folders.ts';
import type { ProcessSubstrateLimits } from '../../../src/jobs/executors/process/options.ts';
import { type ProcessStat, runs, statOf } from '../../../src/jobs/executors/process/proc.ts';
import { createProcessSubstrate, processImage } from '../../../src/jobs/executors/process.ts';
import type { JobObservation, JobSpec, Substrate } from '../../../src/jobs/substrate.ts';
import { releaseAfterwards } from '../../support/releases.ts';
import { jobSpec, OWNER } from './specs.ts';

/** A folder of jobs on this machine; everything in it is ended when the test has finished. */
export interface Machine {
  /** Where servers keep their jobs; in `folder` are those of the tests' own. */
  readonly root: string;
  readonly folder: string;
  readonly substrate: Substrate;
  /** The same folder and commands as another server sees them. */
  anotherServer(limits?: Partial<ProcessSubstrateLimits>): Substrate;
  /** A run of its own with this command line. */
  spec(command: readonly string[], changes?: Partial<JobSpec>): JobSpec;
  /** Starts {@link Machine.spec}. */
  start(command: readonly string[], changes?: Partial<JobSpec>): Promise<RunnerJobHandle>;
}

export const WAIT = { timeout: 20_000, interval: 20 };

/** Makes a machine with no jobs. */
export function createMachine(limits: Partial<ProcessSubstrateLimits> = {}): Machine {
  const root = mkdtempSync(join(tmpdir(), 'runfeed-jobs-'));
  const commands = new Map<string, readonly string[]>();
  const anotherServer = (own: Partial<ProcessSubstrateLimits> = limits) => {
    const options = { folder: root, owner: OWNER, commands, environment: process.env };
    const substrate = createProcessSubstrate(options, own);
    releaseAfterwards(substrate.close);
    return substrate;
  };
  const substrate = anotherServer();
  releaseAfterwards(async () => {
    for (const { handle } of await substrate.list()) await substrate.remove(handle);
    rmSync(root, { recursive: true, force: true });
  });
  const spec = (command: readonly string[], changes: Partial<JobSpec> = {}): JobSpec => {
    commands.set(processImage('test', command), command);
    return jobSpec(command, changes);
  };
  return {
    root,
    folder: join(root, ownerFolder(OWNER)),
    substrate,
    anotherServer,
    spec,
    start: (command, changes) => substrate.start(spec(command, changes)),
  };
}

/** Where a job's files are. */
export function folderOf(machine: Machine, handle: RunnerJobHandle): string {
  return join(machine.folder, handle.machineId.split('-', 1)[0]!);
}

/** Waits until a job has ended, and for a job's file until it is there. */
export async function ended(substrate: Substrate, handle: RunnerJobHandle): Promise<JobObservation> {
  await expect
    .poll(async () => (await substrate.getStatus(handle)).status, WAIT)
    .toMatch(/^(terminated|failed)$/);
  return substrate.getStatus(handle);
}

/** What the command has written into a file of its folder, once something is there. */
export async function written(machine: Machine, handle: RunnerJobHandle, name: string): Promise<string> {
  const file = join(folderOf(machine, handle), 'work', name);
  await expect.poll(() => existsSync(file) && readFileSync(file, 'utf8') !== '', WAIT).toBe(true);
  return readFileSync(file, 'utf8');
}

/** One of a job's files as it is on the disk. */
export function stateOf(machine: Machine, handle: RunnerJobHandle, name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(folderOf(machine, handle), name), 'utf8')) as Record<string, unknown>;
}

/** The number of a process that a job's file names, as soon as that is there: a command may be faster than its shim. */
export async function pidOf(
  machine: Machine,
  handle: RunnerJobHandle,
  name: 'pid.json' | 'child.json',
): Promise<number> {
  await expect.poll(() => existsSync(join(folderOf(machine, handle), name)), WAIT).toBe(true);
  return Number(stateOf(machine, handle, name).pid);
}

/** Whether a process is there and more than a zombie. */
export function lives(pid: number): boolean {
  const stat: ProcessStat | null = statOf(pid);
  return stat !== null && runs(stat);
}

/** Every living process that works in this folder or below, such as shims in a job's. */
export function processesIn(folder: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => lives(pid) && workingFolder(pid).startsWith(folder));
}

function workingFolder(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return '';
  }
}
