import type { Principal } from '../auth/principal.ts';
import type { RunnerEventBatchValidation } from '../contract/validate.ts';
import type { Accepted } from '../ingest/ingest.ts';
import { LATE_MS } from '../jobs/claim.ts';
import type { Store } from '../store/store.ts';
import { BATCH_INPUT } from './batch-input.ts';
import { builder } from './builder.ts';
import type { AskedContext } from './context.ts';
import { fault } from './faults.ts';
import { BatchRejectedError, unknownRunMessage } from './outcomes.ts';
import { RunType } from './run.ts';
import { findRun } from './run-ids.ts';

const IngestEventsSuccess = builder
  .objectRef<Accepted & { readonly key: number }>('IngestEventsSuccess')
  .implement({
    description: 'The batch is stored, durably, by now or already.',
    fields: (t) => ({
      run: t.prismaField({
        type: RunType,
        description: 'The run after it.',
        resolve: (query, { key }, _args, { store }) =>
          store.catalog.run.findUniqueOrThrow({ ...query, where: { key } }),
      }),
      accepted: t.exposeInt('accepted', {
        description: 'How many of the events were new.',
      }),
      duplicates: t.exposeInt('duplicates', {
        description: 'How many were stored already, with the same content.',
      }),
      lastSeq: t.field({
        type: 'SafeInt',
        description: 'Number of the log’s last event.',
        resolve: ({ head }) => head.lastSeq,
      }),
      lastSourceSeq: t.field({
        type: 'SafeInt',
        description: 'The producer’s own number of its last event in the log.',
        resolve: ({ head }) => head.lastSourceSeq,
      }),
      ended: t.boolean({
        description: 'Whether the log has its terminal event.',
        resolve: ({ head }) => head.terminalSeq !== null,
      }),
    }),
  });

builder.mutationField('ingestEvents', (t) =>
  t.field({
    type: IngestEventsSuccess,
    errors: { types: [BatchRejectedError] },
    description:
      'Appends a batch to its run, all of it or nothing, and answers once it is durable. Sending the same again is always ' +
      'a success, so a runner may retry anything at any time; it sends one batch after the answer to the one before.',
    args: {
      batch: t.arg({
        type: BATCH_INPUT,
        required: true,
        description: 'The batch.',
      }),
      previousSeq: t.arg({
        type: 'SafeInt',
        required: false,
        validate: { min: -1 },
        description:
          'The producer’s own number before this batch (-1: nothing sent yet). When given, a batch that does not follow ' +
          'the log’s end is refused as `seq_gap`: a hole is never silent.',
      }),
    },
    resolve: (_root, { batch, previousSeq }, context) => appendBatch(context, batch, previousSeq),
  }),
);

/** What `ingestEvents` does with a batch that the contract has looked at; throws {@link BatchRejectedError}. */
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

/** What a runner sends again after the run's end changes nothing; its token is still good for it, but not for ever. */
async function refuseTooLate(store: Store, run: number): Promise<void> {
  const reading = (await store.jobs.read([run])).get(run);
  if (!reading || reading.job.runEndedAt === null || reading.now < reading.job.runEndedAt + LATE_MS) return;
  throw fault('UNAUTHENTICATED', 'the run has ended long ago, and with it what this token was good for');
}
