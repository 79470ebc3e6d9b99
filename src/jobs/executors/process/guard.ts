import { type JobFile, readJobFile } from './files.ts';
import { signalGroup } from './kill.ts';
import type { Order } from './order.ts';

/** Ends a command when it is to end, whether or not a server is there. */
export interface Guard {
  /** Kills the group at once. */
  kill(): void;
  /** Stops guarding and says why the command ended: a stop or a deadline comes before the command's own wish. */
  release(): 'own' | 'stop' | 'deadline';
}

/** How often to look for a stop whose signal was lost, and whether the folder is still there. */
const LOOK_MS = 5_000;

/** Guards the group that a shim's child leads. Our own SIGTERM says that there is a stop to read. */
export function guardGroup(folder: string, group: number, order: Order): Guard {
  const deadline = performance.now() + order.maxRunDurationMs;
  let killDue = Number.POSITIVE_INFINITY;
  let seenKillAt: number | null = null;
  let reason: 'stop' | 'deadline' | null = null;
  let timer: NodeJS.Timeout;

  /** SIGTERM for the first reason only: many a program takes a second one as leave to drop everything. */
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
      // Once read it is a span of a clock that nobody sets.
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

/** Whoever removes the folder by hand ends the job: nobody could ever look after it again. */
function isGone(folder: string): boolean {
  try {
    return readJobFile(folder, 'pid.json') === null;
  } catch {
    return false;
  }
}
