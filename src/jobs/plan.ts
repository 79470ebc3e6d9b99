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
    return { do: 'stop', graceMs: Math.max(0, (job.killAt ?? now) - now) };
  }
  if (!exists) return { do: 'start' };
  const reason = reasonToStop(job, now, limits);
  return reason ? { do: 'look and stop', reason } : { do: 'look' };
}

/** When the job's time is up; null: it does not run yet. */
export function deadlineOf({ startedAt, maxRunDurationMs }: JobRecord): number | null {
  return startedAt === null ? null : startedAt + maxRunDurationMs;
}

function reasonToStop(job: JobRecord, now: number, limits: JobLimits): StopReason | null {
  const deadline = deadlineOf(job);
  if (deadline !== null && now >= deadline) return 'deadline';
  // Either way: that time is another clock's, and one that is far ahead must not keep a runner alive.
  if (job.runEndedAt !== null && Math.abs(now - job.runEndedAt) >= limits.afterRunMs) return 'run_ended';
  const neverRan = job.status === 'provisioning' && now >= (job.provisionedAt ?? now) + limits.provisionMs;
  return neverRan ? 'provisioning' : null;
}

/** In how many milliseconds a job that is as it should be is to be looked at again. */
export function nextLookIn(job: JobRecord, now: number, pollMs: number, limits: JobLimits): number {
  const deadline = deadlineOf(job);
  const times = [
    now + pollMs,
    ...(deadline === null ? [] : [deadline]),
    ...(job.wish === 'stop' && job.killAt !== null && job.killAt > now ? [job.killAt] : []),
    ...(job.runEndedAt === null ? [] : [job.runEndedAt + limits.afterRunMs]),
  ];
  return Math.max(0, Math.min(...times.filter((time) => time > now)) - now);
}

/** How long to wait after so many failures in a row; full jitter, so that jobs do not come back together. */
export function backoff(failures: number, { backoffMs, maxBackoffMs }: JobLimits): number {
  const most = Math.min(maxBackoffMs, backoffMs * 2 ** Math.min(failures, 20));
  return most / 2 + (Math.random() * most) / 2;
}
