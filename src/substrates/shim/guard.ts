import { type JobFile, readJobFile } from '../job-folders/files.ts';
import { signalGroup } from '../process/kill.ts';
import type { Order } from '../process/order.ts';

/** Ends a command at its stop or deadline, whether or not a server is running. */
export interface Guard {
  /** Kills the group at once. */
  kill(): void;
  /** Stops guarding and returns why the command ended. A stop or deadline outranks the command's own exit. */
  release(): 'own' | 'stop' | 'deadline';
}

/** How often to check for a stop whose signal was lost, and whether the folder still exists. */
const LOOK_MS = 5_000;

/** Guards the group that a shim's child leads. A SIGTERM to the shim means that there is a stop to read. */
export function guardGroup(folder: string, group: number, order: Order): Guard {
  const deadline = performance.now() + order.maxRunDurationMs;
  let killDue = Number.POSITIVE_INFINITY;
  let seenKillAt: number | null = null;
  let reason: 'stop' | 'deadline' | null = null;
  let timer: NodeJS.Timeout;

  /** Sends SIGTERM for the first reason only: many programs drop everything at a second one. */
  function end(why: 'stop' | 'deadline', graceMs: number): void {
    killDue = Math.min(killDue, performance.now() + graceMs);
    if (reason === null && graceMs > 0) signalGroup(group, 'SIGTERM');
    reason ??= why;
  }

  function look(): void {
    clearTimeout(timer);
    const stop = readStop(folder);
    if (stop && stop.killAt !== seenKillAt) {
      seenKillAt = stop.killAt;
      // From here on it is a span of the monotonic clock, which cannot be set.
      end('stop', Math.min(Math.max(0, stop.killAt - Date.now()), stop.graceMs));
    }
    if (performance.now() >= deadline) end('deadline', order.deadlineGraceMs);
    if (performance.now() >= killDue || isGone(folder)) signalGroup(group, 'SIGKILL');
    const due = Math.min(reason === null ? deadline : Number.POSITIVE_INFINITY, killDue) - performance.now();
    timer = setTimeout(look, due > 0 ? Math.min(LOOK_MS, Math.ceil(due)) : LOOK_MS);
  }

  function onTerm(): void {
    if (readStop(folder)) look();
    else signalGroup(group, 'SIGTERM');
  }

  process.on('SIGTERM', onTerm);
  look();
  return {
    kill: () => signalGroup(group, 'SIGKILL'),
    release: () => {
      clearTimeout(timer);
      process.off('SIGTERM', onTerm);
      return reason ?? (readStop(folder) ? 'stop' : 'own');
    },
  };
}

function readStop(folder: string): JobFile<'stop.json'> | null {
  try {
    return readJobFile(folder, 'stop.json');
  } catch {
    return null;
  }
}

/** Removing the folder by hand ends the job: no server could look after it again. */
function isGone(folder: string): boolean {
  try {
    return readJobFile(folder, 'pid.json') === null;
  } catch {
    return false;
  }
}
