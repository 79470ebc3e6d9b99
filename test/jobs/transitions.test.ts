import { describe, expect, test } from 'vitest';
import { PROVIDER_RUNTIME_JOB_STATUSES, type ProviderRuntimeJobStatus } from '../../src/contract/jobs.ts';
import { nextLookIn, nextStep } from '../../src/jobs/reconcile/plan.ts';
import { toStop } from '../../src/jobs/reconcile/steps.ts';
import { isFinal, mayFollow, moved, TRANSITIONS } from '../../src/jobs/reconcile/transitions.ts';
import { ended, observedVerdict, stopVerdict } from '../../src/jobs/reconcile/verdicts.ts';
import type { JobRecord, StopReason } from '../../src/store/jobs.ts';
import { JOB_ERROR_CLASSES } from '../../src/substrates/errors.ts';
import type { JobObservation } from '../../src/substrates/substrate.ts';
import { SHORT_LIMITS } from '../support/job-harness.ts';

const ORDER: Readonly<Record<ProviderRuntimeJobStatus, number>> = {
  queued: 0,
  provisioning: 1,
  running: 2,
  stopping: 3,
  terminated: 4,
  failed: 4,
};

const QUEUED: JobRecord = {
  run: 1,
  substrate: 'process',
  host: null,
  runner: 'demo',
  image: 'demo@sha256:0',
  region: 'local',
  cpus: null,
  memoryMb: null,
  maxRunDurationMs: 5_000,
  specHash: 'k.h',
  payload: null,
  status: 'queued',
  wish: 'run',
  stopReason: null,
  stopAskedAt: null,
  killAt: null,
  startAskedAt: null,
  appName: null,
  machineId: null,
  claimInstance: null,
  claimedAt: null,
  errorClass: null,
  errorMessage: null,
  exitCode: null,
  stats: null,
  statsAt: null,
  provisionedAt: null,
  startedAt: null,
  endedAt: null,
  settledAt: null,
  failures: 0,
  nextStepAt: 1_000,
  statusMs: 0,
  lookedAt: 1_000,
  workspace: 'default',
  runId: 'run',
  provider: 'openai',
  createdAt: 1_000,
  runEndedAt: null,
  leaseOwner: null,
  leaseUntil: null,
  version: 0,
};

/** Returns the same numbers for the same seed, so that a failure can be reproduced. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    return Math.floor((((state ^ (state >>> 12)) >>> 0) / 2 ** 32) * sides);
  };
}

type Throw = ReturnType<typeof dice>;
const pick = <Value>(roll: Throw, values: readonly Value[]): Value => values[roll(values.length)]!;

function observation(roll: Throw): JobObservation {
  const status = pick(roll, PROVIDER_RUNTIME_JOB_STATUSES);
  return {
    status,
    ...(status === 'failed' && { terminalErrorClass: pick(roll, JOB_ERROR_CLASSES) }),
    ...(roll(2) === 0 && { exitCode: pick(roll, [0, 1, 137, 143]) }),
  };
}

const REASONS: readonly StopReason[] = ['requested', 'deadline', 'run_ended', 'provisioning'];

/** Applies something random that can happen to a job. */
function happening(roll: Throw, job: JobRecord, now: number): JobRecord {
  switch (roll(6)) {
    case 0:
      return moved(job, pick(roll, ['queued', 'provisioning', 'running', 'stopping'] as const), now);
    case 1: {
      const seen = observation(roll);
      return isFinal(seen.status)
        ? ended(job, observedVerdict(job, seen), now)
        : moved(job, seen.status, now);
    }
    case 2:
      return toStop(job, pick(roll, REASONS), roll(2_000), now);
    case 3:
      return ended(job, stopVerdict(job.stopReason), now);
    case 4:
      return isFinal(job.status) || job.wish === 'stop'
        ? job
        : { ...moved(job, 'running', now), claimInstance: 'one' };
    default:
      return job.machineId === null
        ? { ...moved(job, 'provisioning', now), appName: 'a', machineId: 'm' }
        : job;
  }
}

describe('the statuses of a job', () => {
  test('only move forward, and two of them are final', () => {
    for (const from of PROVIDER_RUNTIME_JOB_STATUSES) {
      for (const to of PROVIDER_RUNTIME_JOB_STATUSES) {
        const legal = ORDER[to] > ORDER[from] && !isFinal(from);
        expect([from, to, mayFollow(from, to)]).toEqual([from, to, legal]);
        const job = { ...QUEUED, status: from };
        expect(moved(job, to, 7).status).toBe(legal ? to : from);
        if (!legal) expect(moved(job, to, 7)).toBe(job);
      }
    }
    expect(PROVIDER_RUNTIME_JOB_STATUSES.filter(isFinal)).toEqual(['terminated', 'failed']);
    expect(Object.keys(TRANSITIONS).sort()).toEqual([...PROVIDER_RUNTIME_JOB_STATUSES].sort());
  });

  test('never move back, change a verdict or delay a kill, in whatever order things happen', () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= 2_000; seed += 1) {
      const roll = dice(seed);
      let job = QUEUED;
      let now = 1_000;
      for (let step = 0; step < 12; step += 1) {
        // The database's clock may stand still, and may be set back.
        now += roll(1_500) - 100;
        const next = happening(roll, job, now);
        const story = `seed ${seed}, step ${step}: ${job.status} to ${next.status}`;
        if (next.status !== job.status) {
          expect(mayFollow(job.status, next.status), story).toBe(true);
          seen.add(`${job.status} ${next.status}`);
        }
        // Its handle may still be learned, so that it can be removed.
        const { appName, machineId } = next;
        if (isFinal(job.status)) expect(next, story).toEqual({ ...job, appName, machineId });
        else expect(next.errorClass !== null, story).toBe(next.status === 'failed');
        if (job.wish === 'stop') expect(next.wish, story).toBe('stop');
        if (job.killAt !== null) expect(next.killAt, story).toBeLessThanOrEqual(job.killAt);
        if (job.stopReason !== null) expect(next.stopReason, story).toBe(job.stopReason);
        if (job.startedAt !== null) expect(next.startedAt, story).toBe(job.startedAt);
        expect(next.endedAt !== null, story).toBe(isFinal(next.status));
        job = next;
      }
    }
    const legal = PROVIDER_RUNTIME_JOB_STATUSES.flatMap((from) =>
      TRANSITIONS[from].map((to) => `${from} ${to}`),
    );
    expect([...seen].sort()).toEqual(legal.sort());
  });
});

describe('the next step of a job', () => {
  const exists = { appName: 'a', machineId: 'm', startAskedAt: 1_000 } as const;
  const running = { ...QUEUED, ...exists, status: 'running', startedAt: 2_000 } as const;

  const ranFor = (statusMs: number): JobRecord => ({ ...running, statusMs });
  /** A stopping job with a grace period of half a second. */
  const stopping = (statusMs: number): JobRecord => ({
    ...running,
    status: 'stopping',
    wish: 'stop',
    stopAskedAt: 3_000,
    killAt: 3_500,
    statusMs,
  });

  test.each<[string, JobRecord, number, object]>([
    ['starts a new job', QUEUED, 1_000, { do: 'start' }],
    [
      'starts a job again whose start has an unknown outcome',
      { ...QUEUED, startAskedAt: 1 },
      9,
      { do: 'start' },
    ],
    ['looks at a running job', ranFor(4_999), 6_999, { do: 'look' }],
    [
      'stops a job at its maximum duration',
      ranFor(5_000),
      7_000,
      { do: 'look and stop', reason: 'deadline' },
    ],
    ['looks at a job whose run has just ended', { ...running, runEndedAt: 3_000 }, 3_199, { do: 'look' }],
    [
      'stops a job whose run ended a while ago',
      { ...running, runEndedAt: 3_000 },
      3_200,
      { do: 'look and stop', reason: 'run_ended' },
    ],
    [
      'stops a job whose run ended by a clock that is hours ahead',
      { ...running, runEndedAt: 9_000_000 },
      3_000,
      { do: 'look and stop', reason: 'run_ended' },
    ],
    [
      'stops a job that never started running',
      { ...QUEUED, ...exists, status: 'provisioning', provisionedAt: 2_000, statusMs: 300 },
      2_300,
      { do: 'look and stop', reason: 'provisioning' },
    ],
    ['looks at a job that has time left, whatever the clock says', ranFor(60), 9_000_000, { do: 'look' }],
    ['stops a job within its grace period', stopping(200), 3_200, { do: 'stop', graceMs: 300 }],
    ['kills a job after its grace period', stopping(500), 3_500, { do: 'stop', graceMs: 0 }],
    [
      'keeps the grace period, whatever the clock says',
      stopping(200),
      9_000_000,
      { do: 'stop', graceMs: 300 },
    ],
    [
      'looks for a stopped job that may exist',
      { ...QUEUED, wish: 'stop', startAskedAt: 1 },
      9,
      { do: 'find' },
    ],
    [
      'cancels a stopped job that was never requested from the substrate',
      { ...QUEUED, wish: 'stop' },
      9,
      { do: 'cancel' },
    ],
    ['settles an ended job', { ...running, status: 'failed', wish: 'stop' }, 9, { do: 'settle' }],
  ])('%s', (_name, job, now, step) => {
    expect(nextStep(job, now, SHORT_LIMITS)).toEqual(step);
  });

  test('comes at a deadline, a kill or the end of a wait, otherwise after a poll', () => {
    const wait = (job: JobRecord, now: number) => nextLookIn(job, now, 1_000, SHORT_LIMITS);
    expect(wait(ranFor(1_000), 3_000)).toBe(1_000);
    expect(wait(ranFor(4_800), 6_800)).toBe(200);
    expect(wait(stopping(200), 3_200)).toBe(300);
    expect(wait({ ...running, runEndedAt: 2_900 }, 3_000)).toBe(100);
    expect(wait({ ...running, runEndedAt: 1_000 }, 9_000)).toBe(1_000);
  });
});
