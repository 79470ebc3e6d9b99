import type { Accepted } from '../../ingest/ingest.ts';
import { appendBatch } from '../../runs/append.ts';
import { builder } from '../builder.ts';
import { BatchRejectedError } from '../errors/outcomes.ts';
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
    resolve: async (_root, { batch, previousSeq }, context) => {
      const appended = await appendBatch(context, batch, previousSeq ?? null);
      if (!appended.ok) throw new BatchRejectedError(appended);
      return appended;
    },
  }),
);
