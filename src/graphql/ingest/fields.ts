import type { Principal } from '../../auth/principal.ts';
import type { RunnerEventBatchValidation } from '../../contract/validate.ts';
import type { Accepted } from '../../ingest/ingest.ts';
import { LATE_MS } from '../../jobs/claim.ts';
import type { Store } from '../../store/store.ts';
import { builder } from '../builder.ts';
import type { AskedContext } from '../context.ts';
import { fault } from '../errors/faults.ts';
import { BatchRejectedError, unknownRunMessage } from '../errors/outcomes.ts';
import { findRun } from '../runs/ids.ts';
import { RunType } from '../runs/type.ts';
import { BATCH_INPUT } from './batch-input.ts';

const IngestEventsSuccess = builder
  .objectRef<Accepted & { readonly key: number }>('IngestEventsSuccess')
  .implement({
    description: 'The batch is durably stored, by this request or by an earlier one.',
    fields: (t) => ({
      run: t.prismaField({
        type: RunType,
        description: 'The run after the batch.',
        resolve: (query, { key }, _args, { store }) =>
          store.catalog.run.findUniqueOrThrow({ ...query, where: { key } }),
      }),
      accepted: t.exposeInt('accepted', {
        description: 'The number of events that this request stored.',
      }),
      duplicates: t.exposeInt('duplicates', {
        description: 'The number of events that were already stored with the same content.',
      }),
      lastSeq: t.field({
        type: 'SafeInt',
        description: 'The `seq` of the last event in the log.',
        resolve: ({ head }) => head.lastSeq,
      }),
      lastSourceSeq: t.field({
        type: 'SafeInt',
        description: 'The producer’s own `seq` of its last event in the log.',
        resolve: ({ head }) => head.lastSourceSeq,
      }),
      ended: t.boolean({
        description: 'True if the log contains its terminal event.',
        resolve: ({ head }) => head.terminalSeq !== null,
      }),
    }),
  });

builder.mutationField('ingestEvents', (t) =>
  t.field({
    type: IngestEventsSuccess,
    errors: {
      types: [BatchRejectedError],
      union: { description: 'The stored batch, or the reason it was refused.' },
    },
    description:
      'Appends a batch to its run, atomically, and answers once the batch is durable. Resending a ' +
      'batch always succeeds, so a runner may retry at any time. A runner must wait for each answer ' +
      'before it sends the next batch.',
    args: {
      batch: t.arg({
        type: BATCH_INPUT,
        required: true,
        description: 'The batch to append.',
      }),
      previousSeq: t.arg({
        type: 'SafeInt',
        required: false,
        validate: { min: -1 },
        description:
          'The producer’s own `seq` before this batch, or -1 if this is its first batch. If given, a ' +
          'batch that does not follow the end of the log is refused with `seq_gap`, so that no gap ' +
          'goes unnoticed.',
      }),
    },
    resolve: (_root, { batch, previousSeq }, context) => appendBatch(context, batch, previousSeq),
  }),
);

/** Stores a batch that the contract has checked. Throws {@link BatchRejectedError} if it is refused. */
export async function appendBatch(
  context: AskedContext,
  verdict: RunnerEventBatchValidation,
  previousSeq: number | null = null,
) {
  if (!verdict.ok) {
    const { code, message, eventIndex = null } = verdict;
    throw new BatchRejectedError({
      code,
      message,
      eventIndex,
      expectedSeq: null,
    });
  }
  const { runId, events } = verdict.batch;
  const run = await findRun(context, runId);
  if (!run) {
    const message = unknownRunMessage(runId);
    throw new BatchRejectedError({
      code: 'unknown_run',
      message,
      eventIndex: null,
      expectedSeq: null,
    });
  }
  const claimer = claimerOf(context.principal);
  const outcome = await context.ingest.append(run, {
    previousSeq,
    ...(claimer !== null && { claimer }),
    events: events.map(({ seq, tMs, kind, data }) => ({
      seq,
      tMs,
      kind,
      data: JSON.stringify(data),
    })),
  });
  if (!outcome.ok) throw new BatchRejectedError(outcome);
  if (claimer !== null && outcome.head.terminalSeq !== null) await refuseTooLate(context.store, run.key);
  return { ...outcome, key: run.key };
}

function claimerOf(principal: Principal): string | null {
  return principal.kind === 'runner' && principal.right.may === 'send' ? principal.right.instance : null;
}

/** After the end of its run, a runner may resend batches (a no-op), but only for {@link LATE_MS}. */
async function refuseTooLate(store: Store, run: number): Promise<void> {
  const reading = (await store.jobs.read([run])).get(run);
  if (!reading || reading.job.runEndedAt === null || reading.now < reading.job.runEndedAt + LATE_MS) return;
  throw fault('UNAUTHENTICATED', 'this token expired one hour after its run ended');
}
