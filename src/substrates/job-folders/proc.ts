import { readdirSync, readFileSync, statSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';

/** Identifies a process. A pid alone is reused; together with the boot and the start time it is not. */
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
  /** User and system time, including that of children it has waited for. */
  readonly cpuTime: number;
  readonly startTime: number;
  readonly memoryPages: number;
}

/** The kernel shows times in hundredths of a second on all that Node runs on, whatever its own tick rate. */
export const TICKS_PER_SECOND = 100;

/** The table is read this many lines at a time, 1 to 3 ms, so that a large one does not block the loop. */
const CHUNK = 100;

let ownBootId: string | null = null;

/** Returns the id of this boot of the machine, which no process outlives. Throws without a Linux `/proc`. */
export function bootId(): string {
  ownBootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return ownBootId;
}

/** Returns the calling process's own identity. */
export function ownIdentity(): ProcessIdentity {
  const stat = statOf(process.pid);
  if (!stat) throw new Error('this process is not in /proc');
  return { bootId: bootId(), pid: process.pid, startTime: stat.startTime };
}

/** Returns true if this very process still runs. A zombie does not: it only waits to be reaped. */
export function isAlive(identity: ProcessIdentity): boolean {
  const stat = statOf(identity.pid);
  return stat?.startTime === identity.startTime && runs(stat) && bootId() === identity.bootId;
}

/** Returns true if the process is not a zombie. */
export function runs({ state }: ProcessStat): boolean {
  return state !== 'Z' && state !== 'X' && state !== 'x';
}

/** Returns a process's line. Null if there is no such process. */
export function statOf(pid: number): ProcessStat | null {
  const text = readProc(`/proc/${pid}/stat`);
  if (text === null) return null;
  // The second field is the program's name in brackets, and may itself contain spaces and brackets.
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

/** The process table, which takes a while to read. */
export interface ProcessTable {
  readonly processes: readonly ProcessStat[];
  /** How many processes were listed and gone before they were read. */
  readonly missed: number;
}

/** Reads the whole process table, as a rule the newest processes first. */
export async function readProcesses(): Promise<ProcessTable> {
  const processes: ProcessStat[] = [];
  let missed = 0;
  await forEachPid((pid) => {
    const stat = statOf(pid);
    if (stat) processes.push(stat);
    else missed += 1;
  });
  return { processes, missed };
}

/** Returns every uid that a process has: its real, effective, saved or file system's one. */
export async function uidsOfProcesses(): Promise<ReadonlySet<number>> {
  const uids = new Set<number>();
  await forEachPid((pid) => {
    const line = /^Uid:\t(.*)$/m.exec(readProc(`/proc/${pid}/status`) ?? '')?.[1];
    for (const uid of line?.split('\t') ?? []) uids.add(Number(uid));
  });
  return uids;
}

async function forEachPid(read: (pid: number) => void): Promise<void> {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  // The newest are the likeliest to be gone soon.
  pids.reverse();
  for (const [index, pid] of pids.entries()) {
    if (index % CHUNK === CHUNK - 1) await setImmediate();
    read(Number(pid));
  }
}

/**
 * Returns true if this line (`NAME=value`) is in a process's initial environment. Null if there is nothing to
 * read: the process may have ended, or may not be inspected.
 */
export function hasEnvironmentLine(pid: number, line: string): boolean | null {
  const text = readProc(`/proc/${pid}/environ`);
  return text ? text.split('\0').includes(line) : null;
}

/** Returns the pid of the process or thread that was created last. */
export function newestPid(): number {
  return Number(readProc('/proc/loadavg')?.trim().split(' ').at(-1));
}

/** Returns the uid of a process. Null if it is gone. A process that may not be inspected shows as root's. */
export function ownerOf(pid: number): number | null {
  return statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid ?? null;
}

/** Returns the seconds since the boot, on the clock of {@link ProcessStat.startTime}. */
export function uptime(): number {
  return Number(readFileSync('/proc/uptime', 'utf8').split(' ', 1)[0]);
}

/** Returns the size of a memory page in bytes. */
export function pageBytes(): number {
  const kilobytes = /^KernelPageSize:\s+(\d+) kB$/m.exec(readProc('/proc/self/smaps') ?? '')?.[1];
  return Number(kilobytes ?? 4) * 1024;
}

/** Returns null if the process is gone, belongs to another user, or has nothing left to show. */
function readProc(file: string): string | null {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return null;
  }
}
