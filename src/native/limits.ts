/** How runs are followed, beside what the configuration says. Durations are milliseconds. */
export interface NativeLimits {
  /** A process that dies is replaced after this. */
  readonly leaseMs: number;
  /** How often a process looks for runs that nobody follows any more. */
  readonly pollMs: number;
  /** Runs that one process follows at once. */
  readonly maxFollowed: number;
  /** Waits before a request is sent again: the first one, doubled each time, and the longest. */
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  /** A provider that does not answer is told of in the log at most so often. */
  readonly noteMs: number;
  /** An answer that is no stream has at most so many bytes. */
  readonly maxAnswerBytes: number;
  /** Events of one session: their ids are kept, so that none is told twice. */
  readonly maxSessionEvents: number;
  /** How long the last events of a run are tried to be stored, and a session to be interrupted, when it is left. */
  readonly lastWordsMs: number;
}

export const NATIVE_LIMITS: NativeLimits = {
  leaseMs: 10_000,
  pollMs: 1_000,
  maxFollowed: 500,
  backoffMs: 500,
  maxBackoffMs: 30_000,
  noteMs: 10_000,
  maxAnswerBytes: 64 * 1024 * 1024,
  maxSessionEvents: 100_000,
  lastWordsMs: 5_000,
};
