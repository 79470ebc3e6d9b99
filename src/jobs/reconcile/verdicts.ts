import type { JobRecord, JobState, StopReason } from '../../store/jobs.ts';
import type { JobErrorClass } from '../../substrates/errors.ts';
import type { JobObservation } from '../../substrates/substrate.ts';
import { moved } from './transitions.ts';

/** Why a job ended, as its row stores it. */
export interface Verdict {
  /** Null if the job succeeded or was stopped on request. */
  readonly errorClass: JobErrorClass | null;
  readonly message: string | null;
  readonly exitCode: number | null;
}

/** The error class of a job that runfeed stopped. Null if the stop is no failure. */
const STOP_CLASSES: Readonly<Record<StopReason, JobErrorClass | null>> = {
  requested: null,
  run_ended: null,
  deadline: 'max_duration_exceeded',
  provisioning: 'provision_timeout',
};

const STOP_MESSAGES: Readonly<Record<StopReason, string | null>> = {
  requested: null,
  run_ended: null,
  deadline: 'the job exceeded its maximum run duration',
  provisioning: 'the substrate accepted the job but did not run it in time',
};

/** Returns the verdict on a job that had to stop, however it ended. */
export function stopVerdict(reason: StopReason | null, exitCode: number | null = null): Verdict {
  const why = reason ?? 'requested';
  return { errorClass: STOP_CLASSES[why], message: STOP_MESSAGES[why], exitCode };
}

/** Returns the verdict on an end that a substrate reports. */
export function observedVerdict(job: JobRecord, seen: JobObservation): Verdict {
  const exitCode = seen.exitCode ?? null;
  if (job.wish === 'stop') return stopVerdict(job.stopReason, exitCode);
  if (seen.status === 'failed') {
    const errorClass = seen.terminalErrorClass ?? 'substrate_error';
    return { errorClass, message: seen.terminalErrorMessage ?? errorClass, exitCode };
  }
  // Stopped on request, but not on ours: by a deploy, a migration or an operator.
  if (exitCode !== null && exitCode !== 0) {
    return { errorClass: 'evicted', message: 'the substrate evicted the job', exitCode };
  }
  return { errorClass: null, message: null, exitCode };
}

/** Returns the state with this verdict. If the job has already ended, its first verdict stays. */
export function ended<State extends JobState>(state: State, verdict: Verdict, now: number): State {
  const final = moved(state, verdict.errorClass === null ? 'terminated' : 'failed', now);
  if (final === state) return state;
  const { errorClass, message, exitCode } = verdict;
  return { ...final, errorClass, errorMessage: message, exitCode, failures: 0, nextStepAt: now };
}
