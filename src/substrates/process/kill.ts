import { setTimeout } from 'node:timers/promises';
import { codeOf } from '../../lib/text/error-line.ts';
import type { JobFile } from '../job-folders/files.ts';
import {
  allProcesses,
  bootId,
  hasEnvironmentLine,
  ownerOf,
  type ProcessIdentity,
  type ProcessStat,
  runs,
  statOf,
} from '../job-folders/proc.ts';

/** In the environment of all that a job starts: tells the runner its job, and marks the job's processes. */
export const MACHINE_ID_VARIABLE = 'RUNFEED_MACHINE_ID';

/** How to find a job's processes. */
export interface JobProcesses {
  readonly machineId: string;
  readonly shim: ProcessIdentity;
  readonly child: JobFile<'child.json'> | null;
  /** A uid whose processes all belong to this job. Null if its user has other processes, too. */
  readonly uid: number | null;
}

/** The number of rounds for processes that fork faster than they are killed. */
const ROUNDS = 50;
const BETWEEN_ROUNDS_MS = 20;

/**
 * Returns the living processes of a job except its shim: the main process's group, and every process that
 * carries the job's mark, with its group. The mark finds processes that left by `setsid` and, if the shim was
 * killed, those whose leader is gone. A process that also wiped its environment is found only if the job has
 * a user of its own.
 */
export async function processesOf({
  machineId,
  shim,
  child,
  uid,
}: JobProcesses): Promise<readonly ProcessStat[]> {
  if (bootId() !== shim.bootId) return [];
  // No process older than the shim can belong to its job, which spares most of the table the second check.
  const table = (await allProcesses()).filter(
    ({ pid, startTime }) => startTime >= shim.startTime && pid !== shim.pid && pid !== process.pid,
  );
  const groups = new Set<number>();
  for (const { pid, group, startTime } of table) {
    const isLeader = pid === child?.pid && startTime === child.startTime;
    const isOwned = uid !== null && ownerOf(pid) === uid;
    const isMarked = () => hasEnvironmentLine(pid, `${MACHINE_ID_VARIABLE}=${machineId}`);
    if (isLeader || isOwned || isMarked()) groups.add(group);
  }
  return table.filter((stat) => groups.has(stat.group) && runs(stat));
}

/** Sends a signal to all processes of a job except its shim. Returns how many there were. */
export async function signalAll(job: JobProcesses, signal: NodeJS.Signals): Promise<number> {
  const found = await processesOf(job);
  for (const { pid, startTime } of found) signalOne(pid, startTime, signal);
  return found.length;
}

/** Kills all processes of a job except its shim. Returns false if some are still alive after all rounds. */
export async function killAll(job: JobProcesses): Promise<boolean> {
  for (let round = 0; round < ROUNDS; round += 1) {
    if ((await signalAll(job, 'SIGKILL')) === 0) return true;
    await setTimeout(BETWEEN_ROUNDS_MS);
  }
  return false;
}

/**
 * Signals a process if it is still the one that started then. Between the check and the signal lie
 * microseconds: the pid would have to be reused within them.
 */
export function signalOne(pid: number, startTime: number, signal: NodeJS.Signals): void {
  if (statOf(pid)?.startTime === startTime) send(pid, signal);
}

/** Signals a whole group at once. Only for its leader's parent, which knows that the number is not reused. */
export function signalGroup(group: number, signal: NodeJS.Signals): void {
  send(-group, signal);
}

/** Skips processes that are gone, and those of another user, which the next look finds alive. */
function send(target: number, signal: NodeJS.Signals): void {
  try {
    process.kill(target, signal);
  } catch (error) {
    if (!['ESRCH', 'EPERM'].includes(codeOf(error))) throw error;
  }
}
