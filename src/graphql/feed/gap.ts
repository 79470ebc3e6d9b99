import type { FeedBatch } from '../../feed/batches.ts';
import { builder } from '../builder.ts';

/** The part of a requested range of events that retention removed. */
export const RunFeedGap = builder.objectRef<NonNullable<FeedBatch['gap']>>('RunFeedGap').implement({
  description: 'A range of events that were removed from the log.',
  fields: (t) => ({
    fromSeq: t.expose('fromSeq', {
      type: 'SafeInt',
      description: 'The first `seq` that may be missing.',
    }),
    toSeq: t.expose('toSeq', {
      type: 'SafeInt',
      description: 'The last `seq` that may be missing.',
    }),
    reason: t.string({
      description: 'Why the events are missing: `retention`.',
      resolve: () => 'retention',
    }),
  }),
});
