import type { Principal } from '../auth/principal.ts';
import type { RunnerEventBatchValidation } from '../contract/validate.ts';
import type { Accepted, Ingest } from '../ingest/ingest.ts';
import type { Rejection } from '../ingest/judge.ts';
import type { Store } from '../store/store.ts';
import { findRun, type RunSeeker, unknownRunMessage } from './ids.ts';

/** How long after a run's end its runner may resend unconfirmed events, in milliseconds. */
export const LATE_MS = 3_600_000;

/** A runner uses its token later than {@link LATE_MS} after the end of its run. */
export class RunnerTooLate extends Error {
  override readonly name = 'RunnerTooLate';

  constructor() {
    super('this token expired one hour after its run ended');
  }
}

/** A caller, and what appending needs. */
export interface Appender extends RunSeeker {
  readonly ingest: Ingest;
  readonly store: Pick<Store, 'jobs'>;
}

/** A stored batch and the key of its run, or the reason why nothing was stored. */
export type Appended = (Accepted & { readonly key: number }) | Rejection;

/**
 * Stores a batch that the contract has checked, if the caller may send events of its run: operators always, a
 * runner with the claim that its token names. Resolves once the batch is durable. Throws {@link RunnerTooLate}.
 */
export async function appendBatch(
  appender: Appender,
  validation: RunnerEventBatchValidation,
  previousSeq: number | null,
): Promise<Appended> {
  if (!validation.ok) {
    const { code, message, eventIndex = null } = validation;
    return { ok: false, code, message, eventIndex, expectedSeq: null };
  }
  const { runId, events } = validation.batch;
  const run = await findRun(appender, runId);
  if (!run) {
    const message = unknownRunMessage(runId);
    return { ok: false, code: 'unknown_run', message, eventIndex: null, expectedSeq: null };
  }
  const claimer = claimerOf(appender.principal);
  const outcome = await appender.ingest.append(run, {
    previousSeq,
    ...(claimer !== null && { claimer }),
    events: events.map(({ seq, tMs, kind, data }) => ({ seq, tMs, kind, data: JSON.stringify(data) })),
  });
  if (!outcome.ok) return outcome;
  if (outcome.head.terminalSeq !== null) await refuseTooLate(appender, run.key);
  return { ...outcome, key: run.key };
}

function claimerOf(principal: Principal): string | null {
  return principal.kind === 'runner' && principal.right.may === 'send' ? principal.right.instance : null;
}

/**
 * Throws {@link RunnerTooLate} if the caller is a runner whose run ended more than {@link LATE_MS} ago. Until then, it may
 * resend batches, which changes nothing, and read its run.
 */
export async function refuseTooLate(
  { principal, store }: Pick<Appender, 'principal' | 'store'>,
  run: number,
): Promise<void> {
  if (principal.kind !== 'runner') return;
  const reading = (await store.jobs.read([run])).get(run);
  if (!reading || reading.job.runEndedAt === null || reading.now < reading.job.runEndedAt + LATE_MS) return;
  throw new RunnerTooLate();
}
