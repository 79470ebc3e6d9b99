import type { JobFile } from '../job-folders/files.ts';
import {
  bootId,
  hasEnvironmentLine,
  newestPid,
  ownerOf,
  type ProcessIdentity,
  type ProcessStat,
  readProcesses,
  runs,
  statOf,
  TICKS_PER_SECOND,
  uptime,
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

/** What one look at the process table shows of a job. */
export interface Look {
  /** The living processes, without the shim. */
  readonly found: readonly ProcessStat[];
  /** The groups of these processes in which nothing is older than the job. */
  readonly groups: readonly number[];
  /** True if some process ended before it could be told whose it was. It may have left another one. */
  readonly isUnclear: boolean;
  /** The zombies that this look has seen, for the next one. */
  readonly zombies: ReadonlySet<string>;
}

/** A process that lived longer was alive when it was read, or has left one that is. */
const JUST_NOW_TICKS = 10;

/** Takes 2 ms. */
const NEWEST_TRIES = 100;

const NOTHING: Look = { found: [], groups: [], isUnclear: false, zombies: new Set() };

/**
 * Looks for the living processes of a job except its shim: the main process's group, and every process that
 * carries the job's mark, with its group. The mark finds processes that left by `setsid` and, if the shim was
 * killed, those whose leader is gone. A process that also wiped its environment is found only if the job has
 * a user of its own. `before` has the zombies that are known.
 */
export async function lookFor(
  { machineId, shim, child, uid }: JobProcesses,
  before: ReadonlySet<string> = new Set(),
): Promise<Look> {
  if (bootId() !== shim.bootId) return NOTHING;
  const justNow = uptime() * TICKS_PER_SECOND - JUST_NOW_TICKS;
  const { processes, missed } = await readProcesses();
  // No process older than the shim can belong to its job, which spares most of the table the second check.
  const isYoung = ({ pid, startTime }: ProcessStat) =>
    startTime >= shim.startTime && pid !== shim.pid && pid !== process.pid;
  const table = processes.filter(isYoung);
  const dead = table.filter((stat) => !runs(stat));
  const isNew = (stat: ProcessStat) => stat.startTime >= justNow && !before.has(nameOf(stat));
  let ended = missed + dead.filter(isNew).length;
  const groups = new Set<number>();
  for (const stat of table) {
    const { pid, group, startTime } = stat;
    const isLeader = pid === child?.pid && startTime === child.startTime;
    if (isLeader || (uid !== null && ownerOf(pid) === uid)) {
      groups.add(group);
      continue;
    }
    const isMarked = hasEnvironmentLine(pid, `${MACHINE_ID_VARIABLE}=${machineId}`);
    if (isMarked) groups.add(group);
    else if (isMarked === null && runs(stat) && !isStill(stat)) ended += 1;
  }
  const caught = ended > 0 ? newestOf(machineId) : null;
  if (caught) groups.add(caught.group);
  const mixed = new Set(processes.filter((stat) => !isYoung(stat)).map(({ group }) => group));
  return {
    found: [...(caught ? [caught] : []), ...table.filter((stat) => groups.has(stat.group) && runs(stat))],
    groups: [...groups].filter((group) => !mixed.has(group)),
    isUnclear: ended > 0,
    zombies: new Set(dead.map(nameOf)),
  };
}

/** Returns a marked process that was created just now: reading one at once is faster than reading all. */
function newestOf(machineId: string): ProcessStat | null {
  for (let tries = 0; tries < NEWEST_TRIES; tries += 1) {
    const pid = newestPid();
    const isMarked = hasEnvironmentLine(pid, `${MACHINE_ID_VARIABLE}=${machineId}`);
    const stat = isMarked ? statOf(pid) : null;
    if (stat) return stat;
  }
  return null;
}

function nameOf({ pid, startTime }: ProcessStat): string {
  return `${pid}:${startTime}`;
}

/** Returns true if the process still runs. */
function isStill({ pid, startTime }: ProcessStat): boolean {
  const now = statOf(pid);
  return now?.startTime === startTime && runs(now);
}
