import type { JobRecord, StopReason } from '../store/jobs.ts';
import type { JobLimits } from './limits.ts';
import { isFinal } from './transitions.ts';

/** The one step that a job is due. */
export type Step =
  /** Ask the substrate to start it; idempotent, so that it also finds out what became of an earlier try. */
  | { readonly do: 'start' }
  /** See how it is. */
  | { readonly do: 'look' }
  /** See how it is, and have it stopped if it has not ended by itself. */
  | { readonly do: 'look and stop'; readonly reason: StopReason }
  /** Stop it, and see whether it has. */
  | { readonly do: 'stop'; readonly graceMs: number }
  /** It is to stop, and nobody knows whether it was ever made. */
  | { readonly do: 'find' }
  /** It is to stop, and the substrate was never asked for it. */
  | { readonly do: 'cancel' }
  /** It has ended: end its run, then let go of what is left of it. */
  | { readonly do: 'settle' };

/** Which step that is, from what is stored alone. */
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

/** How many milliseconds a job still has, as it was last looked at: all, until it runs. */
export function runTimeLeft({ status, statusMs, maxRunDurationMs }: JobRecord): number {
  return status === 'running' ? Math.max(0, maxRunDurationMs - statusMs) : maxRunDurationMs;
}

/** How many of its stop's milliseconds are left; null: it is not to stop. */
function graceLeft({ killAt, stopAskedAt, statusMs }: JobRecord): number | null {
  return killAt === null || stopAskedAt === null ? null : Math.max(0, killAt - stopAskedAt - statusMs);
}

function reasonToStop(job: JobRecord, now: number, limits: JobLimits): StopReason | null {
  if (runTimeLeft(job) === 0) return 'deadline';
  // Either way: that time is another clock's, and one that is far ahead must not keep a runner alive.
  if (job.runEndedAt !== null && Math.abs(now - job.runEndedAt) >= limits.afterRunMs) return 'run_ended';
  const neverRan = job.status === 'provisioning' && job.statusMs >= limits.provisionMs;
  return neverRan ? 'provisioning' : null;
}

/** In how many milliseconds a job that is as it should be is to be looked at again. */
export function nextLookIn(job: JobRecord, now: number, pollMs: number, limits: JobLimits): number {
  const waits = [
    pollMs,
    runTimeLeft(job),
    graceLeft(job) ?? 0,
    job.runEndedAt === null ? 0 : job.runEndedAt + limits.afterRunMs - now,
  ];
  return Math.min(...waits.filter((wait) => wait > 0));
}

/** How long to wait after so many failures in a row; full jitter, so that jobs do not come back together. */
export function backoff(failures: number, { backoffMs, maxBackoffMs }: JobLimits): number {
  const most = Math.min(maxBackoffMs, backoffMs * 2 ** Math.min(failures, 20));
  return most / 2 + (Math.random() * most) / 2;
}
