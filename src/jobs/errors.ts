/**
 * Why a job failed, as `terminalErrorClass` tells it. A job that ended with exit code 0, or because we asked, is
 * `terminated` and has none.
 */
export const JOB_ERROR_CLASSES = [
  /** The main process exited with another code than 0, and nobody had stopped it. */
  'exit_nonzero',
  /** Ended by a signal that nobody here sent. */
  'killed_by_signal',
  /** The substrate says that memory ran out. Exit code 137 alone is not this: every SIGKILL gives it. */
  'oom_killed',
  'max_duration_exceeded',
  'image_invalid',
  'image_pull_failed',
  /** The image or program is there and could not be run. */
  'start_failed',
  /** Accepted by the substrate and never ran within our limit. */
  'provision_timeout',
  /** No room now, anywhere that we may go. */
  'capacity',
  /** A limit of the account. */
  'quota_exceeded',
  /** The substrate refuses our credentials. */
  'auth',
  /** The substrate refuses what we asked for. */
  'config_invalid',
  /** The substrate took the job away. */
  'evicted',
  /** The host is out of reach; the process may still run there. */
  'host_lost',
  /** There was a job, and now the substrate has nothing and tells of no exit. */
  'lost',
  /** A start may or may not have happened, and could not be looked up. */
  'outcome_unknown',
  /** The substrate's own fault, after all retries. */
  'substrate_error',
] as const;

/** One of {@link JOB_ERROR_CLASSES}. */
export type JobErrorClass = (typeof JOB_ERROR_CLASSES)[number];

/** What a failed call to a substrate means for the job. */
export interface SubstrateFailure {
  readonly errorClass: JobErrorClass;
  /** For people, without secrets. */
  readonly message: string;
  /**
   * Whether the same call may succeed later with nothing changed here. Only a start that failed for good (false) ends
   * its job.
   */
  readonly transient: boolean;
  /** Of a start: whether it may have made something all the same. Then it has to be looked up, by starting again. */
  readonly mayExist: boolean;
  /** How long the substrate asks to be left alone, in milliseconds; null when it does not say. */
  readonly retryAfterMs: number | null;
}

/** A call to a substrate did not succeed. */
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
