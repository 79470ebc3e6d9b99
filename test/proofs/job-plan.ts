/** The plan of one job: what its runner does (from the payload) and what its caller does. */
export interface JobPlan {
  readonly runId: string;
  readonly runner: string;
  readonly startsAfterMs: number;
  readonly maxRunDurationMs: number;
  /** Null: the job is not stopped. */
  readonly stopsAfterMs: number | null;
  /** Count from the job's first event instead of the answer to its start. */
  readonly stopsRunning: boolean;
  readonly graceMs: number;
  readonly payload: {
    /** The number of events in each batch. */
    readonly batches: readonly number[];
    readonly pauseMs: number;
    readonly sendsTerminal: boolean;
    readonly end: (typeof ENDS)[number];
    readonly ignoresSigterm: boolean;
    /** Starts a child process that leaves the process group. */
    readonly leavesChild: boolean;
  };
}

const ENDS = ['exit', 'fail', 'crash', 'go on'] as const;

/** Longer than any runner needs to send everything. */
const AMPLE_MS = 60_000;

/** Creates a random plan for a job that starts within this many milliseconds. */
export function makeUpPlan(runId: string, runner: string, withinMs: number): JobPlan {
  const end = ENDS[Math.floor(Math.random() * ENDS.length)]!;
  const isLimited = chance(0.3);
  // A job that never ends must be ended: by its caller, unless its time limit comes first.
  const isStopped = chance(0.4) || (end === 'go on' && !isLimited);
  const ignoresSigterm = isStopped && !isLimited && chance(0.5);
  const stopsRunning = chance(0.7);
  return {
    runId,
    runner,
    startsAfterMs: Math.random() * withinMs,
    maxRunDurationMs: isLimited ? between(500, 3_000) : AMPLE_MS,
    stopsAfterMs: isStopped ? between(0, 4_000) : null,
    stopsRunning,
    graceMs: between(0, 1_500),
    payload: {
      batches: Array.from({ length: between(stopsRunning ? 1 : 0, 25) }, () => between(1, 6)),
      pauseMs: between(0, 200),
      sendsTerminal: chance(0.6),
      end,
      ignoresSigterm,
      leavesChild: runner === 'local' && chance(0.2),
    },
  };
}

/** Returns true with this probability. */
export function chance(share: number): boolean {
  return Math.random() < share;
}

/** Returns a random whole number, both bounds included. */
function between(least: number, most: number): number {
  return least + Math.floor(Math.random() * (most - least + 1));
}
