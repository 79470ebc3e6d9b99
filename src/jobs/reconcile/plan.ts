import type { JobRecord, StopReason } from '../../store/jobs.ts';
import type { JobLimits } from './limits.ts';
import { isFinal } from './transitions.ts';

/** The next step of a job. */
export type Step =
  /** Ask the substrate to start the job. Idempotent, so it also finds out what an earlier attempt did. */
  | { readonly do: 'start' }
  /** Check the status. */
  | { readonly do: 'look' }
  /** Check the status, and stop the job unless it has ended on its own. */
  | { readonly do: 'look and stop'; readonly reason: StopReason }
  /** Stop the job, then check whether it has ended. */
  | { readonly do: 'stop'; readonly graceMs: number }
  /** The job must stop, and it is unknown whether it was ever created. */
  | { readonly do: 'find' }
  /** The job must stop, and the substrate was never asked to start it. */
  | { readonly do: 'cancel' }
  /** The job has ended: end its run, then remove what is left of the job. */
  | { readonly do: 'settle' };

/** Picks the next step from stored state alone. `now` is the database's clock in Unix milliseconds. */
export function nextStep(job: JobRecord, now: number, limits: JobLimits): Step {
  if (isFinal(job.status)) return { do: 'settle' };
  const exists = job.machineId !== null;
  if (job.wish === 'stop') {
    if (!exists) return job.startAskedAt === null ? { do: 'cancel' } : { do: 'find' };
    return { do: 'stop', graceMs: graceLeft(job) ?? 0 };
  }
  if (!exists) return { do: 'start' };
  const reason = reasonToStop(job, now, limits);
  return reason ? { do: 'look and stop', reason } : { do: 'look' };
}

/** Returns the milliseconds of run time that a job has left as of `lookedAt`. Only `running` uses them up. */
export function runTimeLeft({ status, statusMs, maxRunDurationMs }: JobRecord): number {
  return status === 'running' ? Math.max(0, maxRunDurationMs - statusMs) : maxRunDurationMs;
}

/** Returns how many milliseconds of the grace period are left. Null if the job need not stop. */
function graceLeft({ killAt, stopAskedAt, statusMs }: JobRecord): number | null {
  return killAt === null || stopAskedAt === null ? null : Math.max(0, killAt - stopAskedAt - statusMs);
}

function reasonToStop(job: JobRecord, now: number, limits: JobLimits): StopReason | null {
  if (runTimeLeft(job) === 0) return 'deadline';
  // In both directions: `runEndedAt` is by another clock. One far ahead must not keep a runner alive.
  if (job.runEndedAt !== null && Math.abs(now - job.runEndedAt) >= limits.afterRunMs) return 'run_ended';
  const neverRan = job.status === 'provisioning' && job.statusMs >= limits.provisionMs;
  return neverRan ? 'provisioning' : null;
}

/** Returns in how many milliseconds to check a job again whose state is as it should be. */
export function nextLookIn(job: JobRecord, now: number, pollMs: number, limits: JobLimits): number {
  const waits = [
    pollMs,
    runTimeLeft(job),
    graceLeft(job) ?? 0,
    job.runEndedAt === null ? 0 : job.runEndedAt + limits.afterRunMs - now,
  ];
  return Math.min(...waits.filter((wait) => wait > 0));
}

/** Returns the milliseconds to wait after this many failures in a row, with jitter to spread out retries. */
export function backoff(failures: number, { backoffMs, maxBackoffMs }: JobLimits): number {
  const most = Math.min(maxBackoffMs, backoffMs * 2 ** Math.min(failures, 20));
  return most / 2 + (Math.random() * most) / 2;
}
