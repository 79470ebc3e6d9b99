import { setTimeout } from 'node:timers/promises';
import { codeOf } from '../../lib/text/error-line.ts';
import { killUser } from '../job-folders/kill-user.ts';
import { bootId, statOf } from '../job-folders/proc.ts';
import { type JobProcesses, type Look, lookFor } from './look.ts';

/** How a kill ended. */
export type Killed =
  | 'all'
  /** Some processes are still alive. */
  | 'not all'
  /** None was found, but processes kept ending before it could be told whose they were. */
  | 'unclear';

/** The number of rounds for processes that fork faster than they are killed. */
const ROUNDS = 50;
const BETWEEN_ROUNDS_MS = 20;

/** One look could find nothing by chance. */
const CLEAR_LOOKS = 2;

/** Looks that may be unclear. On a busy machine, some are unclear because of processes of others. */
const UNCLEAR_LOOKS = 10;

/** Sends a signal to all processes of a job except its shim. */
export async function signalAll(job: JobProcesses, signal: NodeJS.Signals): Promise<void> {
  signalFound(await lookFor(job), signal);
}

/**
 * Kills all processes of a job except its shim. A job with a user of its own has none left after `all`.
 * Otherwise a chain of processes that fork and exit all the time may be `unclear`.
 */
export async function killAll(job: JobProcesses): Promise<Killed> {
  if (bootId() !== job.shim.bootId) return 'all';
  let zombies: ReadonlySet<string> = new Set();
  let [clear, unclear] = [0, 0];
  for (let round = 0; round < ROUNDS; round += 1) {
    const isUserKilled = job.uid !== null && (await killUser(job.uid));
    const look = await lookFor(job, zombies);
    signalFound(look, 'SIGKILL');
    zombies = look.zombies;
    const isEmpty = look.found.length === 0;
    if (isEmpty && isUserKilled) return 'all';
    clear = isEmpty && job.uid === null && !look.isUnclear ? clear + 1 : 0;
    if (clear === CLEAR_LOOKS) return 'all';
    if (isEmpty && job.uid === null && look.isUnclear) unclear += 1;
    if (unclear === UNCLEAR_LOOKS) return 'unclear';
    await setTimeout(BETWEEN_ROUNDS_MS);
  }
  return 'not all';
}

function signalFound({ found, groups }: Look, signal: NodeJS.Signals): void {
  // The kernel kills a group in one step, and with it a chain of processes that fork and exit all the time.
  if (signal === 'SIGKILL') for (const group of groups) signalGroup(group, signal);
  for (const { pid, startTime } of found) signalOne(pid, startTime, signal);
}

/**
 * Signals a process if it is still the one that started then. Between the check and the signal lie
 * microseconds: the pid would have to be reused within them.
 */
export function signalOne(pid: number, startTime: number, signal: NodeJS.Signals): void {
  if (statOf(pid)?.startTime === startTime) send(pid, signal);
}

/** Signals a whole group at once. Only just after a member was seen, so that the number is not reused. */
export function signalGroup(group: number, signal: NodeJS.Signals): void {
  // 0 would be the caller's own group, and 1 all processes.
  if (group > 1) send(-group, signal);
}

/** Skips processes that are gone, and those of another user, which the next look finds alive. */
function send(target: number, signal: NodeJS.Signals): void {
  try {
    process.kill(target, signal);
  } catch (error) {
    if (!['ESRCH', 'EPERM'].includes(codeOf(error))) throw error;
  }
}
