import { setTimeout } from 'node:timers/promises';
import { SubstrateError } from '../errors.ts';
import { claimStart, type JobFile, readJobFile, writeJobFile } from '../job-folders/files.ts';
import type { JobFolder } from '../job-folders/folders.ts';
import { bootId, isAlive, type ProcessIdentity } from '../job-folders/proc.ts';
import { type Killed, killAll, signalAll, signalOne } from './kill.ts';
import type { JobProcesses } from './look.ts';

const LOOK_MS = 10;

/** A killed process is gone at once, unless it waits for a device. */
const KILLED_MS = 1_000;

/**
 * Asks a job to end within `graceMs`. Returns false if nothing is left to end. A later stop can only bring
 * the kill forward.
 */
export async function askToStop(folder: JobFolder, graceMs: number): Promise<boolean> {
  if (readJobFile(folder.path, 'exit.json')) return false;
  // With the right to start taken, a shim that is still starting will not begin.
  const shim = shimOf(folder) ?? ((await claimStart(folder.path, null)) ? null : shimOf(folder));
  if (!shim || shim.bootId !== bootId()) return false;
  noteStop(folder.path, graceMs);
  if (isAlive(shim)) signalOne(shim.pid, shim.startTime, 'SIGTERM');
  else await signalAll(processesOf(folder, shim), graceMs === 0 ? 'SIGKILL' : 'SIGTERM');
  return true;
}

/**
 * Ends all processes of a job that still live, whether or not its shim did its part. The shim gets `waitMs`
 * to write the exit. Throws if something cannot be killed.
 */
export async function forceEnd(folder: JobFolder, waitMs: number): Promise<Exclude<Killed, 'not all'>> {
  const shim = shimOf(folder);
  if (!shim) return 'all';
  await killAll(processesOf(folder, shim));
  if (!(await isGone(shim, waitMs))) signalOne(shim.pid, shim.startTime, 'SIGKILL');
  // The shim may leave behind what it had only just started.
  const killed = (await isGone(shim, KILLED_MS)) ? await killAll(processesOf(folder, shim)) : 'not all';
  if (killed !== 'not all') return killed;
  throw new SubstrateError({
    errorClass: 'substrate_error',
    message: 'some of a job’s processes could not be killed',
    transient: true,
  });
}

/** Returns true if a process is gone, or goes within this time. */
async function isGone(identity: ProcessIdentity, waitMs: number): Promise<boolean> {
  for (const until = performance.now() + waitMs; isAlive(identity); await setTimeout(LOOK_MS)) {
    if (performance.now() >= until) return false;
  }
  return true;
}

/** Writes the time of the kill. The shim turns it into a span of the monotonic clock once it reads it. */
function noteStop(path: string, graceMs: number): void {
  const asked = readJobFile(path, 'stop.json');
  const killAt = Date.now() + graceMs;
  if (!asked || asked.killAt > killAt) writeJobFile(path, 'stop.json', { killAt, graceMs });
}

/** Returns the shim that took the job. Null if none has, or if a stop came first. */
function shimOf({ path }: JobFolder): JobFile<'pid.json'> | null {
  const claim = readJobFile(path, 'pid.json');
  return claim?.pid === 0 ? null : claim;
}

function processesOf({ path, machineId, ownUid }: JobFolder, shim: JobFile<'pid.json'>): JobProcesses {
  return { machineId, shim, child: readJobFile(path, 'child.json'), uid: ownUid() };
}
