import type { Prisma } from '../generated/postgres/client.ts';
import type { StoredEvent } from '../store/store.ts';
import { counted, countedJson } from './answer-budget.ts';
import { builder } from './builder.ts';
import { RunnerEventKindEnum, RunProviderEnum, RunRuntimeEnum } from './enums.ts';
import { RunnerEventType } from './event.ts';
import { eventsConnection, readEvent } from './event-pages.ts';
import { RunFeedGap } from './feed-gap.ts';

/** A run's row as Prisma reads it. */
export type RunRow = Prisma.RunGetPayload<object>;

/** Unix milliseconds as a date. */
const date = (milliseconds: bigint) => new Date(Number(milliseconds));

/** A number of an event, or null where the log has none. */
const position = (seq: bigint | null) => (seq === null || seq < 0n ? null : Number(seq));

export const RunType = builder.prismaObject('Run', {
  description: 'One agent’s run: a log of events that begins, grows and ends.',
  fields: (t) => ({
    id: t.exposeID('id', {
      description: 'Unique in its workspace, chosen by whoever created the run or made here.',
    }),
    workspaceId: t.exposeID('workspace', {
      description: 'The workspace that the run belongs to.',
    }),
    provider: t.field({
      type: RunProviderEnum,
      description: 'Whose model it uses.',
      resolve: ({ provider }) => provider as typeof RunProviderEnum.$inferType,
    }),
    runtime: t.field({
      type: RunRuntimeEnum,
      description: 'Where its agent runs.',
      resolve: ({ runtime }) => runtime as typeof RunRuntimeEnum.$inferType,
    }),
    title: t.string({
      nullable: true,
      description: 'For people.',
      resolve: ({ title }, _args, { budget }) => counted(budget, title),
    }),
    labels: t.field({
      type: 'JSONObject',
      description: 'For programs: whatever runs are to be found by.',
      resolve: ({ labels }, _args, { budget }) =>
        countedJson(budget, labels as { readonly [key: string]: never }),
    }),
    createdAt: t.field({
      type: 'DateTime',
      description: 'When it was created.',
      resolve: ({ createdAt }) => date(createdAt),
    }),
    startedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When its `runtime_started` was stored.',
      resolve: ({ startedAt }) => (startedAt === null ? null : date(startedAt)),
    }),
    endedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When its `runtime_terminal` was stored.',
      resolve: ({ endedAt }) => (endedAt === null ? null : date(endedAt)),
    }),
    ended: t.boolean({
      description: 'Whether the log is closed: it has its terminal event and takes nothing more.',
      resolve: ({ terminalSeq }) => terminalSeq !== null,
    }),
    lastSeq: t.field({
      type: 'SafeInt',
      nullable: true,
      description: 'Number of the last event; null in an empty log.',
      resolve: ({ lastSeq }) => position(lastSeq),
    }),
    nextSeq: t.field({
      type: 'SafeInt',
      description: 'What a producer that has nothing in hand should number its next event.',
      resolve: ({ lastSourceSeq }) => Number(lastSourceSeq) + 1,
    }),
    lastTMs: t.field({
      type: 'SafeInt',
      description: 'The time of the last event, which the next may not go below; 0 in an empty log.',
      resolve: ({ lastTMs }) => Number(lastTMs),
    }),
    eventCount: t.field({
      type: 'SafeInt',
      description: 'How many events the log has taken.',
      resolve: ({ eventCount }) => Number(eventCount),
    }),
    terminal: t.field({
      type: RunnerEventType,
      nullable: true,
      description: 'The event that ended the run; null while it goes on.',
      resolve: async ({ key, terminalSeq }, _args, { store, budget }): Promise<StoredEvent | null> =>
        terminalSeq === null ? null : readEvent(store, budget, key, Number(terminalSeq)),
    }),
    job: t.relation('job', {
      nullable: true,
      description: 'The job that runs its runner; null: it has none.',
    }),
    events: t.connection(
      {
        type: RunnerEventType,
        description:
          'The log, page by page: `first` or `last`, at most 1,000 events and about 4 MiB. Cursors are the events’ numbers. ' +
          'A page filtered by `kinds` may be short of what was asked for; `hasNextPage` says whether to go on.',
        args: {
          kinds: t.arg({
            type: [RunnerEventKindEnum],
            required: false,
            description: 'Only these kinds; absent: all.',
          }),
        },
        resolve: ({ key }, args, context) => eventsConnection(context, key, args),
      },
      {
        name: 'RunnerEventConnection',
        description: 'A page of a run’s log.',
        fields: (t) => ({
          gap: t.expose('gap', {
            type: RunFeedGap,
            nullable: true,
            description: 'What retention removed between `after` and `before`; null: nothing.',
          }),
        }),
      },
      { name: 'RunnerEventEdge', description: 'An event and its cursor.' },
    ),
  }),
});
