import type { Runner } from '../auth/principal.ts';
import { type RunTokens, TOKEN_SLACK_MS } from '../auth/tokens.ts';
import type { JsonObject } from '../contract/events.ts';
import type { JobRecord } from '../store/jobs.ts';
import type { Store } from '../store/store.ts';
import { SubstrateError } from '../substrates/errors.ts';
import type { JobChanges } from './reconcile/change.ts';
import { runTimeLeft } from './reconcile/plan.ts';
import { isFinal, moved } from './reconcile/transitions.ts';
import { JobRefused } from './refusals.ts';
import type { Specs } from './spec/specs.ts';

/** A runner's instructions, and what it needs to follow them. */
export interface Claim {
  readonly runId: string;
  readonly payload: JsonObject | null;
  readonly env: Readonly<Record<string, string>>;
  /** When the run time is used up: Unix milliseconds by the database's clock. */
  readonly deadlineAt: number;
  /** Where the producer's `seq` and `tMs` continue. */
  readonly nextSeq: number;
  readonly lastTMs: number;
  /** The token with which this instance, and no other, sends the run's events. */
  readonly token: string;
}

/** What {@link claimJob} works with. */
export interface ClaimTools {
  readonly store: Store;
  readonly changes: JobChanges;
  readonly specs: Specs;
  readonly tokens: RunTokens;
}

/**
 * Claims a job for one instance of its runner. The first wins and may repeat it. Throws {@link JobRefused}.
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
      expiresAt: Date.now() + Math.max(0, deadlineAt - now) + TOKEN_SLACK_MS,
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

/** Returns why the claim is refused, or null if it is not. */
function refusal({ status, wish, claimInstance }: JobRecord, instance: string): string | null {
  if (isFinal(status)) return 'the job has ended: exit at once';
  if (wish === 'stop') return 'the job is stopping: exit at once';
  if (claimInstance !== null && claimInstance !== instance) {
    return 'another instance has claimed the job: exit at once';
  }
  return null;
}
