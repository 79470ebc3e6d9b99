/**
 * Why a job failed: the values of `terminalErrorClass`. A job that exited with code 0 or was stopped on
 * request is `terminated` and has none.
 */
export const JOB_ERROR_CLASSES = [
  /** The main process exited with a nonzero code, and nothing had stopped it. */
  'exit_nonzero',
  /** Ended by a signal that runfeed did not send. */
  'killed_by_signal',
  /** The substrate reports that memory ran out. Exit code 137 alone is no proof: every SIGKILL causes it. */
  'oom_killed',
  'max_duration_exceeded',
  'image_invalid',
  'image_pull_failed',
  /** The image or program exists but could not be run. */
  'start_failed',
  /** The substrate accepted the job but did not run it within the limit. */
  'provision_timeout',
  /** No capacity at present, anywhere that the job may run. */
  'capacity',
  /** A limit of the account was reached. */
  'quota_exceeded',
  /** The substrate refuses the configured credentials. */
  'auth',
  /** The request or the configuration is invalid. */
  'config_invalid',
  /** The substrate ended the job without a request from runfeed. */
  'evicted',
  /** The host is unreachable. The process may still run there. */
  'host_lost',
  /** The substrate no longer has the job and reported no exit. */
  'lost',
  /** A start may or may not have happened, and looking it up failed. */
  'outcome_unknown',
  /** A fault of the substrate itself, after all retries. */
  'substrate_error',
] as const;

/** One of {@link JOB_ERROR_CLASSES}. */
export type JobErrorClass = (typeof JOB_ERROR_CLASSES)[number];

/** What a failed call to a substrate means for the job. */
export interface SubstrateFailure {
  readonly errorClass: JobErrorClass;
  /** For people. Contains no secrets. */
  readonly message: string;
  /**
   * True if the same call may succeed later with nothing changed here. Only a failed start with false ends
   * its job.
   */
  readonly transient: boolean;
  /** For a start: true if it may have created something nevertheless. Starting again then finds it. */
  readonly mayExist: boolean;
  /** How long the substrate asks to wait, in milliseconds. Null if it does not say. */
  readonly retryAfterMs: number | null;
}

/** A call to a substrate failed: by default permanently, and without creating anything. */
export class SubstrateError extends Error {
  override readonly name = 'SubstrateError';
  readonly failure: SubstrateFailure;

  constructor(
    failure: Pick<SubstrateFailure, 'errorClass' | 'message'> & Partial<SubstrateFailure>,
    options?: ErrorOptions,
  ) {
    super(failure.message, options);
    this.failure = { transient: false, mayExist: false, retryAfterMs: null, ...failure };
  }
}
