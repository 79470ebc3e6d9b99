import type { EvenClock } from '../../lib/waiting/even-clock.ts';
import type { JobReading, JobRecord, JobState, JobStore } from '../../store/jobs.ts';
import { StoreUnavailable } from '../../store/unavailable.ts';
import type { WakeupPlane } from '../../wakeups/plane.ts';
import { isFinal, mayFollow } from './transitions.ts';

/** Returns the job's new state, or the same object to leave it as it is. */
export type Change = (job: JobRecord, now: number) => JobRecord;

/** A job after a change, and the database's clock in Unix milliseconds. */
export interface Changed {
  readonly job: JobRecord;
  readonly now: number;
  readonly changed: boolean;
}

/** Changes jobs. If a job changed in between, the change is computed again from its new state. */
export interface JobChanges {
  /** Returns null if the run has no job. */
  apply(run: number, change: Change): Promise<Changed | null>;
  /** Like `apply`, and opens the run's log to the instance named by the new state. */
  applyClaim(run: number, change: Change): Promise<Changed | null>;
}

/** Rivals are few: a step, a stop, a claim. Losing this many times in a row means that something is wrong. */
const MAX_LOST_RACES = 50;

/** Creates changes over a store. Visible ones wake the run's followers. `clock` counts time in a status. */
export function createJobChanges(jobs: JobStore, wakeups: WakeupPlane, clock: EvenClock): JobChanges {
  async function apply(run: number, change: Change, save: JobStore['save']): Promise<Changed | null> {
    for (let tries = 0; tries < MAX_LOST_RACES; tries += 1) {
      const askedAt = performance.now();
      const reading = (await jobs.read([run])).get(run);
      if (!reading) return null;
      clock.note(reading.now, askedAt);
      const { job, now } = aged(reading, clock);
      const next = change(job, now);
      if (next === job) return { job, now, changed: false };
      checkMove(job, next);
      if (!(await save(run, job.version, next))) continue;
      if (isVisible(job, next)) {
        wakeups.publish([{ run, workspace: job.workspace, kind: 'job', lastSeq: -1, chunk: null }]);
      }
      return { job: { ...next, version: job.version + 1 }, now, changed: true };
    }
    throw new StoreUnavailable('too many concurrent changes to one job');
  }
  return {
    apply: (run, change) => apply(run, change, jobs.save),
    applyClaim: (run, change) => apply(run, change, jobs.saveClaim),
  };
}

/** Returns the job as of its reading: time in its status is counted up to then, unless it is settled. */
export function aged({ job, now }: JobReading, clock: EvenClock): JobReading {
  if (job.settledAt !== null) return { job, now };
  const statusMs = Math.round(job.statusMs + clock.elapsed(job.lookedAt, now));
  return { job: { ...job, statusMs, lookedAt: now }, now };
}

/** Throws on a status that moves backwards or past its end: that is a bug, and no change is better. */
function checkMove(before: JobState, after: JobState): void {
  if (before.status !== after.status && !mayFollow(before.status, after.status)) {
    throw new Error(`a job's status cannot change from ${before.status} to ${after.status}`);
  }
  if (isFinal(before.status) && before.errorClass !== after.errorClass) {
    throw new Error("a job's verdict cannot change");
  }
}

/** The fields of a job that its followers see. */
export const VISIBLE_FIELDS = [
  'status',
  'region',
  'appName',
  'machineId',
  'errorClass',
  'errorMessage',
  'exitCode',
  'stats',
  'startedAt',
  'endedAt',
  'stopAskedAt',
  'claimedAt',
] as const satisfies readonly (keyof JobState)[];

/** Returns true if a job looks different to its followers. */
export function isVisible(before: JobState, after: JobState): boolean {
  return VISIBLE_FIELDS.some((field) => before[field] !== after[field]);
}
