/** Times and limits of looking after jobs. Names that end in `Ms` are milliseconds, all others are counts. */
export interface JobLimits {
  /** After this, another process takes over the jobs of one that died. */
  readonly leaseMs: number;
  /** Jobs of a machine that no process has looked after for this long are given up. */
  readonly abandonedMs: number;
  /** The most steps in progress at once. */
  readonly maxSteps: number;
  /** A step that takes longer is abandoned. Taking it again finds out what became of it. */
  readonly stepMs: number;
  /** The longest until a request that another process recorded is found. */
  readonly pollMs: number;
  /** A job that exists but does not run after this is destroyed. */
  readonly provisionMs: number;
  /** The grace period of a stop unless its caller sets one, and the longest that a caller may set. */
  readonly graceMs: number;
  readonly maxGraceMs: number;
  /** A runner that continues after its run's terminal event is stopped after this. */
  readonly afterRunMs: number;
  /** The run of an ended job is ended for it when no event has arrived for this long. */
  readonly quietMs: number;
  /** The longest such wait, however late the last event came by either clock. */
  readonly maxQuietMs: number;
  /** A job that is not found this many times in a row is lost. */
  readonly missingLooks: number;
  /** The same while more than half of the jobs on a substrate seem to have vanished at once. */
  readonly vanishedLooks: number;
  /** A host that is unreachable this many times in a row is lost. */
  readonly hostLostLooks: number;
  /** Waits after a failed call: the first one, doubled each time, and the longest. */
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  /** The shortest time between two resource figures in the feed. */
  readonly statsMs: number;
  /** How often to look for objects that belong to no job, and how old they must be. */
  readonly sweepMs: number;
  readonly sweepGraceMs: number;
}

export const JOB_LIMITS: JobLimits = {
  leaseMs: 10_000,
  abandonedMs: 15 * 60_000,
  maxSteps: 64,
  stepMs: 2 * 60_000,
  pollMs: 1_000,
  provisionMs: 10 * 60_000,
  graceMs: 10_000,
  maxGraceMs: 5 * 60_000,
  afterRunMs: 30_000,
  quietMs: 5_000,
  maxQuietMs: 60_000,
  missingLooks: 3,
  vanishedLooks: 30,
  hostLostLooks: 60,
  backoffMs: 500,
  maxBackoffMs: 30_000,
  statsMs: 10_000,
  sweepMs: 5 * 60_000,
  sweepGraceMs: 10 * 60_000,
};
