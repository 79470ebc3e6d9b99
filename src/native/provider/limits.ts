/** The limits of following runs that are not configurable. Durations are milliseconds. */
export interface NativeLimits {
  /** The time after which another process takes over the runs of a dead one. */
  readonly leaseMs: number;
  /** How often a process looks for runs whose lease has ended. */
  readonly pollMs: number;
  /** The most runs that one process follows at once. */
  readonly maxFollowed: number;
  /** The first pause before a retry, which doubles each time, and the longest. */
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  /** The least time between two events that report an unavailable provider in a run's log. */
  readonly noteMs: number;
  /** The most bytes of a response that is not a stream. */
  readonly maxAnswerBytes: number;
  /** The most events of one session. Their ids are kept in memory, so that no event is stored twice. */
  readonly maxSessionEvents: number;
  /** When a run is left: how long to try to store its last events, and to interrupt its session. */
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
