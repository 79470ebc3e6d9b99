import { randomUUID } from 'node:crypto';
import { builder } from './builder.ts';
import type { Context } from './context.ts';
import { RunProviderEnum, RunRuntimeEnum } from './enums.ts';
import { listKeys } from './list-keys.ts';
import { NotFoundError, RunConflictError } from './outcomes.ts';
import { listPage, pageSchema } from './page-input.ts';
import { RunType } from './run.ts';
import { RunFilterInput, runListFilter } from './run-filter.ts';
import { findRun } from './run-ids.ts';
import { createRunSchema, defaultRuntime, plainText } from './run-input.ts';
import { followRuns } from './run-updates.ts';

builder.queryFields((t) => ({
  run: t.prismaField({
    type: RunType,
    nullable: true,
    description: 'One run; null when there is none of this id.',
    args: { id: t.arg.id({ required: true, description: 'The run’s id.' }) },
    resolve: async (query, _root, { id }, context) => {
      const run = await findRun(context, id);
      return (
        run &&
        context.store.catalog.run.findUnique({
          ...query,
          where: { key: run.key },
        })
      );
    },
  }),
  runs: t.prismaConnection(
    {
      type: RunType,
      cursor: 'key',
      validate: { schema: pageSchema },
      description: 'All runs, newest first; at most 100 a page.',
      args: {
        filter: t.arg({
          type: RunFilterInput,
          required: false,
          description: 'Only these.',
        }),
      },
      resolve: async ({ cursor, take, skip: _skip, ...selection }, _root, { filter }, context) => {
        const page = listPage(cursor?.key, take);
        const keys = await listKeys(context, (lists, owner) =>
          lists.runs(runListFilter(context, filter), page, owner),
        );
        const runs = await context.store.catalog.run.findMany({
          ...selection,
          where: { key: { in: keys } },
          orderBy: { key: 'desc' },
        });
        await context.budget.completionTurn(0);
        return runs;
      },
    },
    { name: 'RunConnection', description: 'A page of runs.' },
    { name: 'RunEdge', description: 'A run and its cursor.' },
  ),
}));

const CreateRunInput = builder.inputType('CreateRunInput', {
  description: 'What a new run is.',
  validate: { schema: createRunSchema },
  fields: (t) => ({
    id: t.id({
      description: '1 to 128 of the characters `A-Z a-z 0-9 _ . : -`; absent: one is made.',
    }),
    provider: t.field({
      type: RunProviderEnum,
      required: true,
      description: 'Whose model it uses.',
    }),
    runtime: t.field({
      type: RunRuntimeEnum,
      description: 'Where its agent runs. By default native for anthropic; the others are always managed.',
    }),
    title: t.string({ description: 'For people; at most 500 characters.' }),
    labels: t.field({
      type: 'JSONObject',
      description: 'For programs: at most 64 of text, numbers or booleans.',
    }),
  }),
});

const CreateRunSuccess = builder
  .objectRef<{ readonly key: number; readonly created: boolean }>('CreateRunSuccess')
  .implement({
    description: 'The run is there.',
    fields: (t) => ({
      run: t.prismaField({
        type: RunType,
        description: 'The run, new or as it was.',
        resolve: (query, { key }, _args, { store }) =>
          store.catalog.run.findUniqueOrThrow({ ...query, where: { key } }),
      }),
      created: t.exposeBoolean('created', {
        description: 'Whether it is new; false when it was there already.',
      }),
    }),
  });

const EndRunInput = builder.inputType('EndRunInput', {
  description: 'Which run to end, and why.',
  fields: (t) => ({
    runId: t.id({ required: true, description: 'The run’s id.' }),
    reason: t.string({
      validate: { schema: plainText.max(500) },
      description:
        'For people; becomes `reason` in the terminal event’s data. By default `ended_by_request`.',
    }),
  }),
});

const EndRunSuccess = builder
  .objectRef<{ readonly key: number; readonly alreadyEnded: boolean }>('EndRunSuccess')
  .implement({
    description: 'The run has ended.',
    fields: (t) => ({
      run: t.prismaField({
        type: RunType,
        description: 'The ended run.',
        resolve: (query, { key }, _args, { store }) =>
          store.catalog.run.findUniqueOrThrow({ ...query, where: { key } }),
      }),
      alreadyEnded: t.exposeBoolean('alreadyEnded', {
        description: 'Whether it had ended before; then nothing changed.',
      }),
    }),
  });

builder.mutationFields((t) => ({
  createRun: t.field({
    type: CreateRunSuccess,
    errors: { types: [RunConflictError] },
    description: 'Makes a run. Asking again for one that is there answers it unchanged.',
    args: {
      input: t.arg({
        type: CreateRunInput,
        required: true,
        description: 'What it is.',
      }),
    },
    resolve: (_root, { input }, context) => createRun(context, input),
  }),
  endRun: t.field({
    type: EndRunSuccess,
    errors: { types: [NotFoundError] },
    description:
      'Ends a run that nobody else will end, with a terminal event of the server’s own (outcome `cancelled`).',
    args: {
      input: t.arg({
        type: EndRunInput,
        required: true,
        description: 'Which run.',
      }),
    },
    resolve: async (_root, { input }, context) => {
      const run = await findRun(context, input.runId);
      if (!run) throw new NotFoundError(input.runId);
      const reason = input.reason ?? 'ended_by_request';
      const data = JSON.stringify({
        outcome: 'cancelled',
        reason,
        at: new Date().toISOString(),
      });
      const verdict = await context.ingest.appendOwn(run, {
        kind: 'runtime_terminal',
        data,
      });
      return { key: run.key, alreadyEnded: !verdict.ok };
    },
  }),
}));

builder.subscriptionFields((t) => ({
  runUpdated: t.prismaField({
    type: RunType,
    description:
      'A run whenever it changes: at once when it is created or ends, at most once a second while it grows. ' +
      'There is no history here: subscribe first, then query `runs`.',
    args: {
      filter: t.arg({
        type: RunFilterInput,
        required: false,
        description: 'Only these.',
      }),
    },
    subscribe: (_root, { filter }, context) =>
      followRuns(context.runUpdates, runListFilter(context, filter), context.connection),
    resolve: (_query, run) => run as typeof RunType.$inferType,
  }),
}));

async function createRun(context: Context, input: typeof CreateRunInput.$inferInput) {
  const { provider, title = null, labels } = input;
  const runtime = input.runtime ?? defaultRuntime(provider);
  const { created, run } = await context.store.createRun({
    workspace: context.principal.workspace,
    id: input.id ?? randomUUID(),
    provider,
    runtime,
    title,
    labels: JSON.stringify(labels ?? {}),
    createdAt: Date.now(),
  });
  if (run.provider !== provider || run.runtime !== runtime) {
    throw new RunConflictError(
      `run ${run.id} is there already, as ${run.provider} and ${run.runtime}: choose another id`,
    );
  }
  if (created) {
    context.wakeups.publish([
      { run: run.key, workspace: run.workspace, kind: 'created', lastSeq: -1, chunk: null },
    ]);
  }
  return { key: run.key, created };
}
