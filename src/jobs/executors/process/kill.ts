import { setTimeout } from 'node:timers/promises';
import { codeOf } from '../../../lib/error-line.ts';
import type { JobFile } from './files.ts';
import {
  allProcesses,
  bootId,
  hasEnvironmentLine,
  ownerOf,
  type ProcessIdentity,
  type ProcessStat,
  runs,
  statOf,
} from './proc.ts';

/** In the environment of all that a job starts: names the job to its runner, and shows us who belongs to it. */
export const MACHINE_ID_VARIABLE = 'RUNFEED_MACHINE_ID';

/** Where to look for a job's processes. */
export interface JobProcesses {
  readonly machineId: string;
  readonly shim: ProcessIdentity;
  readonly child: JobFile<'child.json'> | null;
  /** Whose processes are all of this job; null: its user has other processes, too. */
  readonly uid: number | null;
}

/** What forks faster than it is killed gets so many rounds. */
const ROUNDS = 50;
const BETWEEN_ROUNDS_MS = 20;

/**
 * The living processes of a job without its shim: the main process's group, and whoever carries the job's mark, with
 * their groups. The second finds those that left by `setsid` and, when the shim was killed, those whose leader is gone.
 * What has wiped its environment as well is found only where the job has a user of its own.
 */
export async function processesOf({
  machineId,
  shim,
  child,
  uid,
}: JobProcesses): Promise<readonly ProcessStat[]> {
  if (bootId() !== shim.bootId) return [];
  // Nobody older than the shim can be its job's, which spares most of a table the second look.
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

/** Sends a signal to all processes of a job but its shim. */
export async function signalAll(job: JobProcesses, signal: NodeJS.Signals): Promise<number> {
  const found = await processesOf(job);
  for (const { pid, startTime } of found) signalOne(pid, startTime, signal);
  return found.length;
}

/** Kills all processes of a job but its shim; false when some still live after all rounds. */
export async function killAll(job: JobProcesses): Promise<boolean> {
  for (let round = 0; round < ROUNDS; round += 1) {
    if ((await signalAll(job, 'SIGKILL')) === 0) return true;
    await setTimeout(BETWEEN_ROUNDS_MS);
  }
  return false;
}

/**
 * Signals a process if it is still the one that started then; whoever is gone needs none. Between the look and the
 * signal lie microseconds: a number would have to be given out anew within them.
 */
export function signalOne(pid: number, startTime: number, signal: NodeJS.Signals): void {
  if (statOf(pid)?.startTime === startTime) send(pid, signal);
}

/** Signals a whole group at one blow. For its leader's parent alone, who knows that the number is still theirs. */
export function signalGroup(group: number, signal: NodeJS.Signals): void {
  send(-group, signal);
}

/** What is gone needs no signal, and what runs as another user gets none: whoever looks again finds it alive. */
function send(target: number, signal: NodeJS.Signals): void {
  try {
    process.kill(target, signal);
  } catch (error) {
    if (!['ESRCH', 'EPERM'].includes(codeOf(error))) throw error;
  }
}
