import { randomUUID } from 'node:crypto';
import { refuseTooLate } from '../../runs/append.ts';
import { createRun, RunConflict } from '../../runs/create.ts';
import { endRun } from '../../runs/end.ts';
import { findRun } from '../../runs/ids.ts';
import { defaultRuntime } from '../../runs/runtime.ts';
import { builder } from '../builder.ts';
import type { Context } from '../context.ts';
import { RunProviderEnum, RunRuntimeEnum } from '../enums.ts';
import { NotFoundError, RunConflictError } from '../errors/outcomes.ts';
import { listPage, pageSchema } from '../page-input.ts';
import { listKeys } from '../price/list-keys.ts';
import { RunFilterInput, runListFilter } from './filter.ts';
import { createRunSchema, plainText } from './input.ts';
import { RunType } from './type.ts';
import { followRuns } from './updates.ts';

builder.queryFields((t) => ({
  run: t.prismaField({
    type: RunType,
    nullable: true,
    description: 'One run. Null if it does not exist.',
    args: { id: t.arg.id({ required: true, description: 'The run’s id.' }) },
    resolve: async (query, _root, { id }, context) => {
      const run = await findRun(context, id);
      if (!run) return null;
      await refuseTooLate(context, run.key);
      return context.store.catalog.run.findUnique({ ...query, where: { key: run.key } });
    },
  }),
  runs: t.prismaConnection(
    {
      type: RunType,
      cursor: 'key',
      validate: { schema: pageSchema },
      description: 'All runs, newest first. At most 100 per page.',
      args: {
        filter: t.arg({
          type: RunFilterInput,
          required: false,
          description: 'Conditions that the results must meet.',
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
  description: 'A run to create.',
  validate: { schema: createRunSchema },
  fields: (t) => ({
    id: t.id({
      description: '1 to 128 characters from `A-Z a-z 0-9 _ . : -`. If absent, the server generates an id.',
    }),
    provider: t.field({
      type: RunProviderEnum,
      required: true,
      description: 'The provider of the run’s model.',
    }),
    runtime: t.field({
      type: RunRuntimeEnum,
      description:
        'Where the agent runs. Defaults to `native` for anthropic. All other providers are always ' +
        '`managed`.',
    }),
    title: t.string({ description: 'A title for people. At most 500 characters.' }),
    labels: t.field({
      type: 'JSONObject',
      description: 'Labels for programs: at most 64 strings, numbers or booleans.',
    }),
  }),
});

const CreateRunSuccess = builder
  .objectRef<{ readonly key: number; readonly created: boolean }>('CreateRunSuccess')
  .implement({
    description: 'The run exists.',
    fields: (t) => ({
      run: t.prismaField({
        type: RunType,
        description: 'The run.',
        resolve: (query, { key }, _args, { store }) =>
          store.catalog.run.findUniqueOrThrow({ ...query, where: { key } }),
      }),
      created: t.exposeBoolean('created', {
        description: 'True if this call created the run, false if it already existed.',
      }),
    }),
  });

const EndRunInput = builder.inputType('EndRunInput', {
  description: 'The run to end, and the reason.',
  fields: (t) => ({
    runId: t.id({ required: true, description: 'The run’s id.' }),
    reason: t.string({
      validate: { schema: plainText.max(500) },
      description: 'The `reason` in the terminal event’s data. Defaults to `ended_by_request`.',
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
        description: 'True if the run had already ended. The call then changed nothing.',
      }),
    }),
  });

builder.mutationFields((t) => ({
  createRun: t.field({
    type: CreateRunSuccess,
    errors: {
      types: [RunConflictError],
      union: { description: 'The created run, or the reason it was refused.' },
    },
    description: 'Creates a run. If the run already exists, the call returns it unchanged.',
    args: {
      input: t.arg({
        type: CreateRunInput,
        required: true,
        description: 'The run to create.',
      }),
    },
    resolve: (_root, { input }, context) => create(context, input),
  }),
  endRun: t.field({
    type: EndRunSuccess,
    errors: {
      types: [NotFoundError],
      union: { description: 'The ended run, or the reason it was refused.' },
    },
    description:
      'Ends a run that has no runner left to end it. The server appends a terminal event with ' +
      'outcome `cancelled`.',
    args: {
      input: t.arg({
        type: EndRunInput,
        required: true,
        description: 'The run to end.',
      }),
    },
    resolve: async (_root, { input }, context) => {
      const run = await findRun(context, input.runId);
      if (!run) throw new NotFoundError(input.runId);
      const isNew = await endRun(context.ingest, run, input.reason ?? 'ended_by_request');
      return { key: run.key, alreadyEnded: !isNew };
    },
  }),
}));

builder.subscriptionFields((t) => ({
  runUpdated: t.prismaField({
    type: RunType,
    description:
      'Every run that changes: immediately when it is created or ends, and at most once a second ' +
      'while it grows. There is no history: subscribe first, then query `runs`. An end is always sent, though it ' +
      'may be sent twice; another change may only appear in the next message of its run.',
    args: {
      filter: t.arg({
        type: RunFilterInput,
        required: false,
        description: 'Conditions that the results must meet.',
      }),
    },
    subscribe: (_root, { filter }, context) =>
      followRuns(context.runUpdates, runListFilter(context, filter), context.connection),
    resolve: (_query, run) => run as typeof RunType.$inferType,
  }),
}));

async function create(context: Context, input: typeof CreateRunInput.$inferInput) {
  const { id, provider, runtime, title = null, labels } = input;
  try {
    const { run, created } = await createRun(context, {
      workspace: context.principal.workspace,
      id: id ?? randomUUID(),
      provider,
      runtime: runtime ?? defaultRuntime(provider),
      title,
      labels: JSON.stringify(labels ?? {}),
    });
    return { key: run.key, created };
  } catch (error) {
    throw error instanceof RunConflict ? new RunConflictError(error.message) : error;
  }
}
