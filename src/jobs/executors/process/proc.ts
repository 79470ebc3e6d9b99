import { readdirSync, readFileSync, statSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';

/** Which process: a number alone is given out again, with the boot and the moment of its start it is not. */
export interface ProcessIdentity {
  readonly bootId: string;
  readonly pid: number;
  /** Ticks between the boot and the process's start. */
  readonly startTime: number;
}

/** One line of the process table. Times are in ticks of {@link TICKS_PER_SECOND}. */
export interface ProcessStat {
  readonly pid: number;
  readonly state: string;
  readonly group: number;
  /** User and system time, with that of the children it has waited for. */
  readonly cpuTime: number;
  readonly startTime: number;
  readonly memoryPages: number;
}

/** The kernel shows times in hundredths of a second on all that Node runs on, whatever its own clock does. */
export const TICKS_PER_SECOND = 100;

/** The table is read in so many lines at a time, about 1 ms, so that a large one does not hold up the loop. */
const CHUNK = 100;

let ownBootId: string | null = null;

/** Names this boot of the machine, beyond which no process lasts; throws where there is no Linux `/proc`. */
export function bootId(): string {
  ownBootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return ownBootId;
}

/** The calling process's own identity. */
export function ownIdentity(): ProcessIdentity {
  const stat = statOf(process.pid);
  if (!stat) throw new Error('this process is not in /proc');
  return { bootId: bootId(), pid: process.pid, startTime: stat.startTime };
}

/** Whether this very process still runs. A zombie does not: it only waits to be taken note of. */
export function isAlive(identity: ProcessIdentity): boolean {
  const stat = statOf(identity.pid);
  return stat?.startTime === identity.startTime && runs(stat) && bootId() === identity.bootId;
}

/** Whether it is more than a zombie. */
export function runs({ state }: ProcessStat): boolean {
  return state !== 'Z' && state !== 'X' && state !== 'x';
}

/** A process's line; null when there is none. */
export function statOf(pid: number): ProcessStat | null {
  const text = readProc(`/proc/${pid}/stat`);
  if (text === null) return null;
  // The second field is the program's name in brackets, and may itself hold blanks and brackets.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const field = (number: number) => Number(fields[number - 3]);
  return {
    pid,
    state: fields[0] ?? '',
    group: field(5),
    cpuTime: field(14) + field(15) + field(16) + field(17),
    startTime: field(22),
    memoryPages: field(24),
  };
}

/** The whole process table. */
export async function allProcesses(): Promise<readonly ProcessStat[]> {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const table: ProcessStat[] = [];
  for (const [index, pid] of pids.entries()) {
    if (index % CHUNK === CHUNK - 1) await setImmediate();
    const stat = statOf(Number(pid));
    if (stat) table.push(stat);
  }
  return table;
}

/** Whether a process was started with this line (`NAME=value`) in its environment, as far as we may see. */
export function hasEnvironmentLine(pid: number, line: string): boolean {
  return readProc(`/proc/${pid}/environ`)?.split('\0').includes(line) ?? false;
}

/** The user that a process runs as; null when it is gone. One that may not be looked into is shown as root's. */
export function ownerOf(pid: number): number | null {
  return statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid ?? null;
}

/** Seconds since the boot, on the clock of {@link ProcessStat.startTime}. */
export function uptime(): number {
  return Number(readFileSync('/proc/uptime', 'utf8').split(' ', 1)[0]);
}

/** Bytes of a page of memory. */
export function pageBytes(): number {
  const kilobytes = /^KernelPageSize:\s+(\d+) kB$/m.exec(readProc('/proc/self/smaps') ?? '')?.[1];
  return Number(kilobytes ?? 4) * 1024;
}

/** Null when the process is gone, is a stranger's, or has nothing to show any more. */
function readProc(file: string): string | null {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return null;
  }
}
