import type { ResourceStats } from '../../contract/jobs.ts';
import type { JobFile } from '../job-folders/files.ts';
import { type ProcessStat, pageBytes, readProcesses, TICKS_PER_SECOND, uptime } from '../job-folders/proc.ts';

/** Measures the CPU and memory that jobs use. */
export interface UsageMeter {
  /** Returns what a main process and its group use now. CPU is measured since the last look. */
  measure(machineId: string, child: JobFile<'child.json'>): Promise<ResourceStats>;
  forget(machineId: string): void;
}

/** The process table by group, read at one moment. */
interface Snapshot {
  /** In seconds since the boot. */
  readonly at: number;
  readonly groups: ReadonlyMap<number, readonly ProcessStat[]>;
}

interface Look {
  readonly at: number;
  readonly cpuTime: number;
  readonly stats: ResourceStats;
}

/** The table is read once in this many seconds, however many jobs are measured. */
const SHARED_SECONDS = 1;

const MEGABYTE = 1024 * 1024;

/** Creates a meter that keeps one look for each job until `forget`. */
export function createUsageMeter(): UsageMeter {
  const looks = new Map<string, Look>();
  const bytes = pageBytes();
  let snapshot: Promise<Snapshot> | null = null;
  let takenAt = 0;

  function shared(): Promise<Snapshot> {
    const now = uptime();
    if (!snapshot || now - takenAt >= SHARED_SECONDS) {
      takenAt = now;
      snapshot = takeSnapshot(now);
    }
    return snapshot;
  }

  return {
    measure: async (machineId, child) => {
      const { at, groups } = await shared();
      const last = looks.get(machineId) ?? {
        at: child.startTime / TICKS_PER_SECOND,
        cpuTime: 0,
        stats: {},
      };
      const members = groups.get(child.pid);
      // The job may be younger than the snapshot, or already measured on it.
      if (!members || at <= last.at) return last.stats;
      const cpuTime = total(members, (stat) => stat.cpuTime);
      // The time of a process that no parent waits for is lost, so the sum may fall.
      const spent = Math.max(0, cpuTime - last.cpuTime) / TICKS_PER_SECOND;
      const stats = {
        cpuPercent: Math.round((spent / (at - last.at)) * 1_000) / 10,
        memoryMb: Math.round((total(members, (stat) => stat.memoryPages) * bytes) / MEGABYTE),
      };
      looks.set(machineId, { at, cpuTime, stats });
      return stats;
    },
    forget: (machineId) => {
      looks.delete(machineId);
    },
  };
}

async function takeSnapshot(at: number): Promise<Snapshot> {
  const groups = new Map<number, ProcessStat[]>();
  for (const stat of (await readProcesses()).processes) {
    const group = groups.get(stat.group);
    if (group) group.push(stat);
    else groups.set(stat.group, [stat]);
  }
  return { at, groups };
}

function total(members: readonly ProcessStat[], value: (stat: ProcessStat) => number): number {
  return members.reduce((sum, stat) => sum + value(stat), 0);
}
