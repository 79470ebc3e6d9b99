import type { FeedBatch } from '../feed/batches.ts';
import { builder } from './builder.ts';

/** What retention removed of a stretch of a log, for whoever reads the stretch. */
export const RunFeedGap = builder.objectRef<NonNullable<FeedBatch['gap']>>('RunFeedGap').implement({
  description: 'Events that are gone for good.',
  fields: (t) => ({
    fromSeq: t.expose('fromSeq', {
      type: 'SafeInt',
      description: 'The first number that may be missing.',
    }),
    toSeq: t.expose('toSeq', {
      type: 'SafeInt',
      description: 'The last number that may be missing.',
    }),
    reason: t.string({
      description: 'Why: `retention`.',
      resolve: () => 'retention',
    }),
  }),
});
