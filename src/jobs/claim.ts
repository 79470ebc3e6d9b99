import type { Runner } from '../auth/principal.ts';
import type { RunTokens } from '../auth/tokens.ts';
import type { JsonObject } from '../contract/events.ts';
import type { JobRecord } from '../store/jobs.ts';
import type { Store } from '../store/store.ts';
import type { JobChanges } from './change.ts';
import { SubstrateError } from './errors.ts';
import { runTimeLeft } from './plan.ts';
import { JobRefused } from './refusals.ts';
import type { Specs } from './specs.ts';
import { isFinal, moved } from './transitions.ts';

/** What a runner is to do, and what it needs for it. */
export interface Claim {
  readonly runId: string;
  readonly payload: JsonObject | null;
  readonly env: Readonly<Record<string, string>>;
  /** Unix milliseconds by the database's clock. */
  readonly deadlineAt: number;
  /** Where the producer's numbers and times go on. */
  readonly nextSeq: number;
  readonly lastTMs: number;
  /** With it this instance, and no other, sends the run's events. */
  readonly token: string;
}

/** What claiming needs. */
export interface ClaimTools {
  readonly store: Store;
  readonly changes: JobChanges;
  readonly specs: Specs;
  readonly tokens: RunTokens;
}

/** How long after a run's end its runner may still send what it is not sure of. */
export const LATE_MS = 3_600_000;

/**
 * Claims a job for one instance of its runner. The first one wins, and may claim again. Throws {@link JobRefused}.
 */
export async function claimJob(
  { store, changes, specs, tokens }: ClaimTools,
  run: number,
  { workspace, runId }: Runner,
  instance: string,
): Promise<Claim> {
  const claimed = await changes.applyClaim(run, (job, now) => {
    const reason = refusal(job, instance);
    if (reason) throw new JobRefused('claim_refused', reason);
    if (job.claimInstance === instance) return job;
    return { ...moved(job, 'running', now), claimInstance: instance, claimedAt: now, nextStepAt: now };
  });
  if (!claimed) throw new JobRefused('unknown_job', `run ${runId} has no job`);
  const { job, now } = claimed;
  const payload = payloadOf(specs, job);
  const head = (await store.readHeads([run])).get(run);
  const deadlineAt = now + runTimeLeft(job);
  // The job is over by its deadline or soon after; what is late then still has its hour, which ingest looks at.
  const expiresAt = Date.now() + Math.max(0, deadlineAt - now) + 2 * LATE_MS;
  return {
    runId,
    payload,
    env: specs.secretsOf(job),
    deadlineAt,
    nextSeq: (head?.lastSourceSeq ?? -1) + 1,
    lastTMs: head?.lastTMs ?? 0,
    token: await tokens.issue({
      kind: 'runner',
      workspace,
      runId,
      right: { may: 'send', instance },
      expiresAt,
    }),
  };
}

function payloadOf(specs: Specs, job: JobRecord): JsonObject | null {
  try {
    return specs.payloadOf(job);
  } catch (error) {
    if (error instanceof SubstrateError) throw new JobRefused('claim_refused', error.message);
    throw error;
  }
}

/** Null: nothing stands against it. */
function refusal({ status, wish, claimInstance }: JobRecord, instance: string): string | null {
  if (isFinal(status)) return 'the job is over: leave at once';
  if (wish === 'stop') return 'the job is to stop: leave at once';
  if (claimInstance !== null && claimInstance !== instance) {
    return 'another instance has claimed the job and works on it: leave at once';
  }
  return null;
}
