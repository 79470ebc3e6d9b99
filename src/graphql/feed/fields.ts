import { z } from 'zod';
import { RUNNER_EVENT_KINDS } from '../../contract/events.ts';
import {
  BATCH_DEFAULT_EVENTS,
  BATCH_MAX_EVENTS,
  type FeedBatch,
  type FeedRequest,
  followBatches,
  followEvents,
} from '../../feed/batches.ts';
import type { Weigh } from '../../feed/portion.ts';
import { findRun, unknownRunMessage } from '../../runs/ids.ts';
import { builder } from '../builder.ts';
import type { AskedContext } from '../context.ts';
import { RunnerEventKindEnum } from '../enums.ts';
import { checkArguments } from '../errors/invalid-input.ts';
import { outcomeError } from '../errors/outcomes.ts';
import { RunnerEventType } from './event.ts';
import { RunFeedGap } from './gap.ts';

const feedArguments = z.object({
  runId: z.string(),
  after: z.int().min(-1).nullish(),
  kinds: z
    .array(z.enum(RUNNER_EVENT_KINDS))
    .min(1, 'must contain at least one kind: omit it for all kinds')
    .max(RUNNER_EVENT_KINDS.length)
    .nullish(),
  maxEvents: z.int().min(1).max(BATCH_MAX_EVENTS).nullish(),
});

const RunFeedBatch = builder.objectRef<FeedBatch & { readonly runId: string }>('RunFeedBatch').implement({
  description: 'The events of a run after the previous batch.',
  fields: (t) => ({
    runId: t.exposeID('runId', { description: 'The run’s id.' }),
    events: t.field({
      type: [RunnerEventType],
      description: 'The events in order. Empty if only the cursor moved.',
      resolve: ({ events }) => [...events],
    }),
    cursor: t.expose('cursor', {
      type: 'SafeInt',
      description: 'Pass this as `after` to continue from here. -1 before the first event.',
    }),
    caughtUp: t.exposeBoolean('caughtUp', {
      description: 'True if the batch ends with the last event stored at the time.',
    }),
    ended: t.exposeBoolean('ended', {
      description: 'True if this batch contains the run’s terminal event. No batch follows.',
    }),
    gap: t.expose('gap', {
      type: RunFeedGap,
      nullable: true,
      description: 'The events missing before this batch. Null if none are missing.',
    }),
  }),
});

/** The checked arguments of a feed subscription. */
export interface OpenedFeed {
  readonly runId: string;
  readonly request: FeedRequest;
  readonly maxEvents: number;
}

const RUN_ID = { required: true, description: 'The run’s id.' } as const;
const AFTER =
  'The `seq` of the last event seen. If absent or -1, the feed begins at the start of the log. If ' +
  'the log has not reached `after` yet, the feed waits for the events that follow it.';
const KINDS =
  'Return only events of these kinds. If absent, all kinds are returned. The terminal event is always ' +
  'delivered.';

builder.subscriptionFields((t) => ({
  runEvents: t.field({
    type: RunnerEventType,
    description:
      'A run’s events one by one: history first, then live, each exactly once, then `complete` after ' +
      'the terminal event. If the connection closes earlier, subscribe again with `after`.',
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
      'A run’s events in batches of at most `maxEvents` events and about 1 MiB: history first, then ' +
      'live. The first batch that reaches the end of the stored events has `caughtUp: true`, even if ' +
      'it is empty.',
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
        description: `The most events in a batch, from 1 to ${BATCH_MAX_EVENTS}. Defaults to ${BATCH_DEFAULT_EVENTS}.`,
      }),
    },
    subscribe: async (_root, args, context) => {
      const { request, maxEvents } = await openFeed(context, args, context.weigh);
      return followBatches(context.feed, request, maxEvents);
    },
    resolve: (batch, { runId }) => ({ ...batch, runId }),
  }),
}));

/** Checks the arguments of a feed subscription and finds its run. Throws a GraphQL error if invalid. */
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
