import type { EvenClock } from '../lib/even-clock.ts';
import type { JobReading, JobRecord, JobState, JobStore } from '../store/jobs.ts';
import { StoreUnavailable } from '../store/store.ts';
import type { WakeupPlane } from '../wakeups/plane.ts';
import { isFinal, mayFollow } from './transitions.ts';

/** What a job becomes; the very same object: it stays as it is. */
export type Change = (job: JobRecord, now: number) => JobRecord;

/** A job as it is after a change, and the database's clock. */
export interface Changed {
  readonly job: JobRecord;
  readonly now: number;
  readonly changed: boolean;
}

/** Changes jobs, each time from what they are. */
export interface JobChanges {
  /** Null: there is no such job. */
  apply(run: number, change: Change): Promise<Changed | null>;
  /** The same, and opens the run's log to the instance that the job has then. */
  applyClaim(run: number, change: Change): Promise<Changed | null>;
}

/** Rivals are few: a step, a stop, a claim. Losing to them so often in a row means that something is wrong. */
const MAX_LOST_RACES = 50;

/** Makes the changes over a store; who follows the run hears of them. The clock counts how long a status has lasted. */
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
    throw new StoreUnavailable('too many changes of one job at once');
  }
  return {
    apply: (run, change) => apply(run, change, jobs.save),
    applyClaim: (run, change) => apply(run, change, jobs.saveClaim),
  };
}

/**
 * The job as it is at the time of its reading: how long it has had its status is counted until then, unless nothing is
 * left to do for it.
 */
export function aged({ job, now }: JobReading, clock: EvenClock): JobReading {
  if (job.settledAt !== null) return { job, now };
  const statusMs = Math.round(job.statusMs + clock.elapsed(job.lookedAt, now));
  return { job: { ...job, statusMs, lookedAt: now }, now };
}

/** A status that goes backwards, or on after its end, is a fault of ours: better no change than that one. */
function checkMove(before: JobState, after: JobState): void {
  if (before.status !== after.status && !mayFollow(before.status, after.status)) {
    throw new Error(`a job cannot go from ${before.status} to ${after.status}`);
  }
  if (isFinal(before.status) && before.errorClass !== after.errorClass) {
    throw new Error('a job keeps its first verdict');
  }
}

/** What of a job its followers see. */
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

/** Whether a job looks different to its followers. */
export function isVisible(before: JobState, after: JobState): boolean {
  return VISIBLE_FIELDS.some((field) => before[field] !== after[field]);
}
