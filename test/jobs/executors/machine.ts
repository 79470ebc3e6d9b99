import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { RunnerJobHandle } from '../../../src/contract/jobs.ts';
import { type JobFolders, openJobFolders, ownerFolder } from '../../../src/substrates/job-folders/folders.ts';
import { type ProcessStat, runs, statOf } from '../../../src/substrates/job-folders/proc.ts';
import type {
  ProcessSubstrateLimits,
  ProcessSubstrateOptions,
} from '../../../src/substrates/process/options.ts';
import { createProcessSubstrate, processImage } from '../../../src/substrates/process/substrate.ts';
import type { JobObservation, JobSpec, Substrate } from '../../../src/substrates/substrate.ts';
import { releaseAfterwards } from '../../support/releases.ts';
import { jobSpec, OWNER, SILENT } from './specs.ts';

/** A folder of jobs on this machine. Everything in it is ended after the test. */
export interface Machine {
  /** Where servers keep their jobs. `folder` within it holds those of the tests' owner. */
  readonly root: string;
  readonly folder: string;
  readonly substrate: Substrate;
  /** Opens the same folder and commands as another server would. */
  anotherServer(limits?: Partial<ProcessSubstrateLimits>): Substrate;
  /** Returns a spec of a new run with this command line. */
  spec(command: readonly string[], changes?: Partial<JobSpec>): JobSpec;
  /** Starts {@link Machine.spec}. */
  start(command: readonly string[], changes?: Partial<JobSpec>): Promise<RunnerJobHandle>;
}

export const WAIT = { timeout: 20_000, interval: 20 };

/** Creates a machine without jobs. */
export function createMachine(
  limits: Partial<ProcessSubstrateLimits> = {},
  changes: Pick<ProcessSubstrateOptions, 'user' | 'uids' | 'log'> = {},
): Machine {
  const root = mkdtempSync(join(tmpdir(), 'runfeed-jobs-'));
  const commands = new Map<string, readonly string[]>();
  const anotherServer = (own: Partial<ProcessSubstrateLimits> = limits) => {
    const options = { folder: root, owner: OWNER, commands, environment: process.env, ...changes };
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

/** Opens the machine's folders of jobs without a substrate. */
export function openFolders({ root }: Machine): JobFolders {
  return openJobFolders({ root, owner: OWNER, user: null, uids: null, log: SILENT });
}

/** Returns the folder of a job's files. */
export function folderOf(machine: Machine, handle: RunnerJobHandle): string {
  return join(machine.folder, handle.machineId.split('-', 1)[0]!);
}

/** Waits until a job has ended and returns its last observation. */
export async function ended(substrate: Substrate, handle: RunnerJobHandle): Promise<JobObservation> {
  await expect
    .poll(async () => (await substrate.getStatus(handle)).status, WAIT)
    .toMatch(/^(terminated|failed)$/);
  return substrate.getStatus(handle);
}

/** Returns what the command wrote to a file in its working folder, once the file is not empty. */
export async function written(machine: Machine, handle: RunnerJobHandle, name: string): Promise<string> {
  const file = join(folderOf(machine, handle), 'work', name);
  await expect.poll(() => existsSync(file) && readFileSync(file, 'utf8') !== '', WAIT).toBe(true);
  return readFileSync(file, 'utf8');
}

/** Reads one of a job's files from disk. */
export function stateOf(machine: Machine, handle: RunnerJobHandle, name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(folderOf(machine, handle), name), 'utf8')) as Record<string, unknown>;
}

/** Returns the pid in a job's file, as soon as the file exists: a command may be faster than its shim. */
export async function pidOf(
  machine: Machine,
  handle: RunnerJobHandle,
  name: 'pid.json' | 'child.json',
): Promise<number> {
  await expect.poll(() => existsSync(join(folderOf(machine, handle), name)), WAIT).toBe(true);
  return Number(stateOf(machine, handle, name).pid);
}

/** Returns true if a process exists and is not a zombie. */
export function lives(pid: number): boolean {
  const stat: ProcessStat | null = statOf(pid);
  return stat !== null && runs(stat);
}

/** Returns every living process that works in this folder or below, such as a job's shim. */
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
