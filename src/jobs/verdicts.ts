import type { JobRecord, JobState, StopReason } from '../store/jobs.ts';
import type { JobErrorClass } from './errors.ts';
import type { JobObservation } from './substrate.ts';
import { moved } from './transitions.ts';

/** Why a job ended, in the terms of its row. */
export interface Verdict {
  /** Null: it ended well, or because we asked. */
  readonly errorClass: JobErrorClass | null;
  readonly message: string | null;
  readonly exitCode: number | null;
}

/** What a job that we stopped is said to have failed with; null: nothing, it did as it was told. */
const STOP_CLASSES: Readonly<Record<StopReason, JobErrorClass | null>> = {
  requested: null,
  run_ended: null,
  deadline: 'max_duration_exceeded',
  provisioning: 'provision_timeout',
};

const STOP_MESSAGES: Readonly<Record<StopReason, string | null>> = {
  requested: null,
  run_ended: null,
  deadline: 'the job ran longer than it may',
  provisioning: 'the substrate took the job and never ran it',
};

/** The end of a job that was to stop, however it went. */
export function stopVerdict(reason: StopReason | null, exitCode: number | null = null): Verdict {
  const why = reason ?? 'requested';
  return { errorClass: STOP_CLASSES[why], message: STOP_MESSAGES[why], exitCode };
}

/** The end that a substrate tells of. */
export function observedVerdict(job: JobRecord, seen: JobObservation): Verdict {
  const exitCode = seen.exitCode ?? null;
  if (job.wish === 'stop') return stopVerdict(job.stopReason, exitCode);
  if (seen.status === 'failed') {
    const errorClass = seen.terminalErrorClass ?? 'substrate_error';
    return { errorClass, message: seen.terminalErrorMessage ?? errorClass, exitCode };
  }
  // Stopped by request, and not by ours: a deploy, a migration, an operator.
  if (exitCode !== null && exitCode !== 0) {
    return { errorClass: 'evicted', message: 'the substrate took the job away', exitCode };
  }
  return { errorClass: null, message: null, exitCode };
}

/** The job with its end. The first verdict stays. */
export function ended<State extends JobState>(state: State, verdict: Verdict, now: number): State {
  const final = moved(state, verdict.errorClass === null ? 'terminated' : 'failed', now);
  if (final === state) return state;
  const { errorClass, message, exitCode } = verdict;
  return { ...final, errorClass, errorMessage: message, exitCode, failures: 0, nextStepAt: now };
}
