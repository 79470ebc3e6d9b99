/** When jobs are looked after, in milliseconds and numbers. */
export interface JobLimits {
  /** A process that dies is replaced after this. */
  readonly leaseMs: number;
  /** Jobs of a machine that nobody has looked after for so long are given up. */
  readonly abandonedMs: number;
  /** Steps under way at once. */
  readonly maxSteps: number;
  /** A step that takes longer is given up: whoever takes it again finds out what came of it. */
  readonly stepMs: number;
  /** What another process wished is found after this at the latest. */
  readonly pollMs: number;
  /** A job that exists and does not run after this is destroyed. */
  readonly provisionMs: number;
  /** What a stop leaves for a clean end unless its caller says otherwise, and at most. */
  readonly graceMs: number;
  readonly maxGraceMs: number;
  /** A runner that lives on after its run's terminal event is stopped after this. */
  readonly afterRunMs: number;
  /** How long nothing must have come from a runner that has ended before its run is ended for it. */
  readonly quietMs: number;
  /** However late the last event came, by whichever clock. */
  readonly maxQuietMs: number;
  /** A job that is not found so often in a row is lost. */
  readonly missingLooks: number;
  /** The same while more than half of the jobs on a substrate seem to have vanished at once. */
  readonly vanishedLooks: number;
  /** A host that is out of reach so often in a row is lost. */
  readonly hostLostLooks: number;
  /** Waits after a failed call: the first one, doubled each time, and the longest. */
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  /** Resource figures go into the feed at most so often. */
  readonly statsMs: number;
  /** How often what belongs to no job is looked for, and how old it must be. */
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
