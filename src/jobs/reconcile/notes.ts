import type { JsonObject } from '../../contract/events.ts';
import type { ResourceStats } from '../../contract/jobs.ts';
import type { Ingest } from '../../ingest/ingest.ts';
import type { JobRecord } from '../../store/jobs.ts';
import type { Store } from '../../store/store.ts';
import type { JobLimits } from './limits.ts';

/** What the server itself writes to a run's log about its job. Nothing follows the terminal event. */
export interface JobNotes {
  tellStats(job: JobRecord, stats: ResourceStats, at: number): Promise<void>;
  /**
   * Ends the run of a job that ended without ending its run. Returns in how many milliseconds to try again,
   * because a last batch may still be in flight. Returns null once the run has its terminal event.
   */
  endRun(job: JobRecord, now: number): Promise<number | null>;
}

/** Creates the notes. `limits` bounds how long to wait for a last batch. */
export function createJobNotes(store: Store, ingest: Ingest, limits: JobLimits): JobNotes {
  const runOf = ({ run, workspace }: JobRecord) => ({ key: run, workspace });

  /** Returns when the log's last event was stored, or 0 if it has none. */
  async function lastEventAt(run: number): Promise<number> {
    const page = await store.readPage(
      run,
      Number.MAX_SAFE_INTEGER,
      { maxEvents: 1, maxBytes: 1 },
      'backward',
    );
    return page?.events[0]?.committedAt ?? 0;
  }

  return {
    tellStats: async (job, stats, at) => {
      const data = { event: 'resource_stats', payload: { ...stats }, at: new Date(at).toISOString() };
      await ingest.appendOwn(runOf(job), { kind: 'notification', data: JSON.stringify(data) });
    },
    endRun: async (job, now) => {
      if (job.runEndedAt !== null) return null;
      // Without a claim nothing can be in flight. The clocks need not agree, so the wait has its own limit.
      if (job.claimInstance !== null && job.statusMs < limits.maxQuietMs) {
        const sinceEvent = now - (await lastEventAt(job.run));
        const quiet = sinceEvent < 0 ? job.statusMs : Math.min(job.statusMs, sinceEvent);
        if (quiet < limits.quietMs) return limits.quietMs - quiet;
      }
      await ingest.appendOwn(runOf(job), {
        kind: 'runtime_terminal',
        data: JSON.stringify(terminalData(job, now)),
      });
      return null;
    },
  };
}

/** Returns the data of the terminal event for a run that its runner did not end. */
export function terminalData(job: JobRecord, now: number): JsonObject {
  const outcome = outcomeOf(job);
  return {
    outcome,
    reason: outcome === 'cancelled' ? 'job_stopped' : (job.errorClass ?? 'ended_without_terminal'),
    ...(job.errorClass !== null && { errorClass: job.errorClass }),
    message:
      job.errorMessage ??
      (outcome === 'cancelled' ? 'the job was stopped' : 'the job ended without ending its run'),
    ...(job.exitCode !== null && { exitCode: job.exitCode }),
    at: new Date(now).toISOString(),
  };
}

function outcomeOf({ errorClass, wish, stopReason }: JobRecord): 'cancelled' | 'limit' | 'failed' {
  if (errorClass === 'max_duration_exceeded') return 'limit';
  if (errorClass === null && wish === 'stop' && stopReason !== 'deadline') return 'cancelled';
  return 'failed';
}
