import { z } from 'zod';
import { RUNNER_EVENT_KINDS } from '../contract/events.ts';
import {
  BATCH_DEFAULT_EVENTS,
  BATCH_MAX_EVENTS,
  type FeedBatch,
  type FeedRequest,
  followBatches,
  followEvents,
} from '../feed/batches.ts';
import type { Weigh } from '../feed/portion.ts';
import { builder } from './builder.ts';
import type { AskedContext } from './context.ts';
import { RunnerEventKindEnum } from './enums.ts';
import { RunnerEventType } from './event.ts';
import { RunFeedGap } from './feed-gap.ts';
import { checkArguments } from './invalid-input.ts';
import { outcomeError, unknownRunMessage } from './outcomes.ts';
import { findRun } from './run-ids.ts';

const feedArguments = z.object({
  runId: z.string(),
  after: z.int().min(-1).nullish(),
  kinds: z
    .array(z.enum(RUNNER_EVENT_KINDS))
    .min(1, 'must name at least one kind, or be left out')
    .max(RUNNER_EVENT_KINDS.length)
    .nullish(),
  maxEvents: z.int().min(1).max(BATCH_MAX_EVENTS).nullish(),
});

const RunFeedBatch = builder.objectRef<FeedBatch & { readonly runId: string }>('RunFeedBatch').implement({
  description: 'What there is of a run after the last batch.',
  fields: (t) => ({
    runId: t.exposeID('runId', { description: 'The run’s id.' }),
    events: t.field({
      type: [RunnerEventType],
      description: 'In order; none when only the cursor moved.',
      resolve: ({ events }) => [...events],
    }),
    cursor: t.expose('cursor', {
      type: 'SafeInt',
      description: 'Pass it as `after` to go on from here; -1 before the first event.',
    }),
    caughtUp: t.exposeBoolean('caughtUp', {
      description: 'Whether this is everything that was stored when the batch was made.',
    }),
    ended: t.exposeBoolean('ended', {
      description: 'Whether the run’s terminal event is in this batch: nothing follows.',
    }),
    gap: t.expose('gap', {
      type: RunFeedGap,
      nullable: true,
      description: 'What is missing before these events; null: nothing.',
    }),
  }),
});

/** A feed subscription that may be read. */
export interface OpenedFeed {
  readonly runId: string;
  readonly request: FeedRequest;
  readonly maxEvents: number;
}

const RUN_ID = { required: true, description: 'The run’s id.' } as const;
const AFTER =
  'The number of the last event seen; absent or -1: from the start. On a run that is behind it, waits for what follows.';
const KINDS = 'Only these kinds; absent: all. The terminal event is always delivered.';

builder.subscriptionFields((t) => ({
  runEvents: t.field({
    type: RunnerEventType,
    description:
      'A run’s events one by one: what is there already, then live, each exactly once, and `complete` after the ' +
      'terminal one. Any other end is a closed connection: subscribe again with `after`.',
    args: {
      runId: t.arg.id(RUN_ID),
      after: t.arg({ type: 'SafeInt', required: false, description: AFTER }),
      kinds: t.arg({
        type: [RunnerEventKindEnum],
        required: false,
        description: KINDS,
      }),
    },
    subscribe: async (_root, args, context) => {
      const { request } = await openFeed(context, args, context.weigh);
      return followEvents(context.feed, request);
    },
    resolve: (event) => event,
  }),
  runEventBatches: t.field({
    type: RunFeedBatch,
    description:
      'The same in batches: as much as is there, up to `maxEvents` and about 1 MiB. Upon first reaching the end of what ' +
      'is stored there is one with `caughtUp`, even an empty one.',
    args: {
      runId: t.arg.id(RUN_ID),
      after: t.arg({ type: 'SafeInt', required: false, description: AFTER }),
      kinds: t.arg({
        type: [RunnerEventKindEnum],
        required: false,
        description: KINDS,
      }),
      maxEvents: t.arg.int({
        required: false,
        description: `The most events in a batch: 1 to ${BATCH_MAX_EVENTS}, by default ${BATCH_DEFAULT_EVENTS}.`,
      }),
    },
    subscribe: async (_root, args, context) => {
      const { request, maxEvents } = await openFeed(context, args, context.weigh);
      return followBatches(context.feed, request, maxEvents);
    },
    resolve: (batch, { runId }) => ({ ...batch, runId }),
  }),
}));

/** What to read for a feed subscription's arguments. Throws a GraphQL error for those that are at fault. */
export async function openFeed(context: AskedContext, args: unknown, weigh?: Weigh): Promise<OpenedFeed> {
  const { runId, after, kinds, maxEvents } = checkArguments(feedArguments, args);
  const run = await findRun(context, runId);
  if (!run) throw outcomeError('unknown_run', unknownRunMessage(runId));
  return {
    runId,
    request: {
      run: run.key,
      after: after ?? -1,
      kinds: kinds ? new Set(kinds) : null,
      weigh,
      owner: context.connection,
    },
    maxEvents: maxEvents ?? BATCH_DEFAULT_EVENTS,
  };
}
