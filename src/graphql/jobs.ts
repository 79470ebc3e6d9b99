import { z } from 'zod';
import type { Claim } from '../jobs/claim.ts';
import { JobBeyondLimits, JobRefused } from '../jobs/refusals.ts';
import type { JobListFilter } from '../store/lists.ts';
import { countedJson } from './answer-budget.ts';
import { builder } from './builder.ts';
import type { Context } from './context.ts';
import { fault } from './faults.ts';
import { checkArguments, invalidInput } from './invalid-input.ts';
import { type JobRow, RunnerJobType } from './job.ts';
import {
  instanceSchema,
  jobFilterSchema,
  RunnerJobFilterInput,
  StartJobInput,
  StopJobInput,
} from './job-input.ts';
import { listKeys } from './list-keys.ts';
import { JobRefusedError, NotFoundError, outcomeError, RunConflictError } from './outcomes.ts';
import { listPage, pageSchema } from './page-input.ts';
import { distinct } from './run-filter.ts';
import { findRun } from './run-ids.ts';
import { defaultRuntime } from './run-input.ts';

builder.queryFields((t) => ({
  job: t.prismaField({
    type: RunnerJobType,
    nullable: true,
    description: 'A run’s job; null when there is no such run, or it has none.',
    args: { runId: t.arg.id({ required: true, description: 'The run’s id.' }) },
    resolve: async (query, _root, { runId }, context) => {
      const run = await findRun(context, runId);
      return run && context.store.catalog.job.findUnique({ ...query, where: { run: run.key } });
    },
  }),
  jobs: t.prismaConnection(
    {
      type: RunnerJobType,
      cursor: 'run',
      validate: { schema: pageSchema },
      description: 'All jobs, those of the newest runs first; at most 100 a page.',
      args: {
        filter: t.arg({ type: RunnerJobFilterInput, required: false, description: 'Only these.' }),
      },
      resolve: async ({ cursor, take, skip: _skip, ...selection }, _root, { filter }, context) => {
        const page = listPage(cursor?.run, take);
        const keys = await listKeys(context, (lists, owner) =>
          lists.jobs(jobListFilter(context, filter), page, owner),
        );
        const jobs = await context.store.catalog.job.findMany({
          ...selection,
          where: { run: { in: keys } },
          orderBy: { run: 'desc' },
        });
        await context.budget.completionTurn(0);
        return jobs;
      },
    },
    { name: 'RunnerJobConnection', description: 'A page of jobs.' },
    { name: 'RunnerJobEdge', description: 'A job and its cursor.' },
  ),
}));

/** A filter as the store takes it, within the caller's workspace. Throws for one that is at fault. */
function jobListFilter({ principal }: Pick<Context, 'principal'>, filter: unknown): JobListFilter {
  const checked = checkArguments(jobFilterSchema.nullish(), filter);
  const { statuses, providers, runner, createdFrom, createdBefore } = checked ?? {};
  return {
    workspace: principal.workspace,
    statuses: distinct(statuses),
    providers: distinct(providers),
    runner: runner ?? null,
    createdFrom: createdFrom?.getTime() ?? null,
    createdBefore: createdBefore?.getTime() ?? null,
  };
}

interface JobAnswer {
  readonly key: number;
}

const StartJobSuccess = builder
  .objectRef<JobAnswer & { readonly created: boolean }>('StartJobSuccess')
  .implement({
    description: 'The job is there, and is being looked after.',
    fields: (t) => ({
      job: t.prismaField({
        type: RunnerJobType,
        description: 'The job, new or as it was.',
        resolve: (query, { key }, _args, { store }) =>
          store.catalog.job.findUniqueOrThrow({ ...query, where: { run: key } }),
      }),
      created: t.exposeBoolean('created', {
        description: 'Whether it is new; false when it was there already, with the same spec.',
      }),
    }),
  });

const StopJobSuccess = builder.objectRef<JobAnswer>('StopJobSuccess').implement({
  description: 'The job is to stop, or has ended already.',
  fields: (t) => ({
    job: t.prismaField({
      type: RunnerJobType,
      description: 'The job as it is now: follow `jobUpdated` until its end.',
      resolve: (query, { key }, _args, { store }) =>
        store.catalog.job.findUniqueOrThrow({ ...query, where: { run: key } }),
    }),
  }),
});

const ClaimJobSuccess = builder.objectRef<Claim>('ClaimJobSuccess').implement({
  description: 'The job is this instance’s. The same answer again to whoever asks as the same instance.',
  fields: (t) => ({
    runId: t.exposeID('runId', { description: 'The run that it works for.' }),
    payload: t.field({
      type: 'JSONObject',
      nullable: true,
      description: 'What it is to do, as `startJob` was given it; null: nothing was given.',
      resolve: ({ payload }, _args, { budget }) => countedJson(budget, payload),
    }),
    env: t.field({
      type: 'JSONObject',
      description: 'Variables for its environment that nobody else may see.',
      resolve: ({ env }) => ({ ...env }),
    }),
    deadlineAt: t.field({
      type: 'DateTime',
      description: 'When it is stopped if it still runs.',
      resolve: ({ deadlineAt }) => new Date(deadlineAt),
    }),
    nextSeq: t.expose('nextSeq', { type: 'SafeInt', description: 'What to number the next event.' }),
    lastTMs: t.expose('lastTMs', {
      type: 'SafeInt',
      description: 'The time that the next event may not go below.',
    }),
    token: t.exposeString('token', {
      description: 'With it, and with nothing else, the run’s events are sent from now on.',
    }),
  }),
});

builder.mutationFields((t) => ({
  startJob: t.field({
    type: StartJobSuccess,
    errors: { types: [RunConflictError, JobRefusedError] },
    description:
      'Starts a job for a run, which is created if it is not there. Idempotent by run: the same again answers the job ' +
      'as it is. From then on the run takes events only from the runner that claims the job.',
    args: { input: t.arg({ type: StartJobInput, required: true, description: 'What to start.' }) },
    resolve: async (_root, { input }, context) => {
      const { provider, runtime, resources } = input;
      const started = await jobOutcome(() =>
        context.jobs.start({
          workspace: context.principal.workspace,
          runId: input.runId,
          provider,
          runtime: runtime ?? defaultRuntime(provider),
          runner: input.runner ?? null,
          title: input.title ?? null,
          labels: JSON.stringify(input.labels ?? {}),
          payload: input.payload ?? null,
          maxRunDurationMs: input.maxRunDurationMs ?? null,
          region: input.region ?? null,
          resources: resources ?? null,
        }),
      );
      return { key: started.run.key, created: started.jobCreated };
    },
  }),
  stopJob: t.field({
    type: StopJobSuccess,
    errors: { types: [NotFoundError, JobRefusedError] },
    description:
      'Has a job stopped: it is asked to end, and killed when its grace is over. Stopping one that has ended changes ' +
      'nothing. A run whose runner does not end it is ended for it.',
    args: { input: t.arg({ type: StopJobInput, required: true, description: 'Which job.' }) },
    resolve: async (_root, { input }, context) => {
      const run = await findRun(context, input.runId);
      if (!run) throw new NotFoundError(input.runId);
      const job = await context.jobs.stop(run.key, input.graceMs ?? null);
      if (!job) throw new JobRefusedError('unknown_job', `run ${input.runId} has no job`);
      return { key: run.key };
    },
  }),
  claimJob: t.field({
    type: ClaimJobSuccess,
    errors: { types: [NotFoundError, JobRefusedError] },
    description:
      'A runner’s first call, with the token that it was started with. The first instance wins; every other one is ' +
      'refused and must leave, since no substrate promises to start exactly one.',
    args: {
      instance: t.arg.string({
        required: true,
        description:
          'Names the process: a machine’s id, or process id and start time. At most 200 characters.',
      }),
    },
    resolve: async (_root, args, context) => {
      const { instance } = checkArguments(z.object({ instance: instanceSchema }), args);
      const { principal } = context;
      if (principal.kind !== 'runner' || principal.right.may !== 'claim') {
        throw fault(
          'FORBIDDEN',
          'only the runner that a job was started with claims it, with its RUNFEED_RUNNER_TOKEN',
        );
      }
      const run = await findRun(context, principal.runId);
      if (!run) throw new NotFoundError(principal.runId);
      return jobOutcome(() => context.jobs.claim(run.key, principal, instance));
    },
  }),
}));

builder.subscriptionField('jobUpdated', (t) =>
  t.prismaField({
    type: RunnerJobType,
    description:
      'A run’s job as it is, then whenever it changes, and `complete` after its end. Quick changes may fold into one; ' +
      'the last one never does.',
    args: { runId: t.arg.id({ required: true, description: 'The run’s id.' }) },
    subscribe: async (_root, { runId }, context) => {
      const run = await findRun(context, runId);
      const job = run && (await context.store.jobs.read([run.key])).get(run.key);
      if (!run) throw outcomeError('unknown_run', new NotFoundError(runId).message);
      if (!job) throw outcomeError('unknown_job', `run ${runId} has no job`);
      return context.jobs.follow(run.key);
    },
    resolve: (query, { run }, _args, { store }) =>
      store.catalog.job.findUniqueOrThrow({ ...query, where: { run } }) as Promise<JobRow>,
  }),
);

/** What the jobs' own refusals are in the API's terms. */
async function jobOutcome<Answer>(work: () => Promise<Answer>): Promise<Answer> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof JobBeyondLimits) {
      const { field, message } = error;
      throw invalidInput({ issues: [{ code: 'custom', path: ['input', field], message, input: undefined }] });
    }
    if (!(error instanceof JobRefused)) throw error;
    if (error.code === 'run_conflict') throw new RunConflictError(error.message);
    throw new JobRefusedError(error.code, error.message);
  }
}
