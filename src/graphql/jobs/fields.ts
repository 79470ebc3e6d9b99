import { z } from 'zod';
import type { Claim } from '../../jobs/claim.ts';
import { JobBeyondLimits, JobRefused } from '../../jobs/refusals.ts';
import { findRun } from '../../runs/ids.ts';
import { defaultRuntime } from '../../runs/runtime.ts';
import type { JobListFilter } from '../../store/lists.ts';
import { builder } from '../builder.ts';
import type { Context } from '../context.ts';
import { fault } from '../errors/faults.ts';
import { checkArguments, invalidInput } from '../errors/invalid-input.ts';
import { JobRefusedError, NotFoundError, outcomeError, RunConflictError } from '../errors/outcomes.ts';
import { listPage, pageSchema } from '../page-input.ts';
import { countedJson } from '../price/answer-budget.ts';
import { listKeys } from '../price/list-keys.ts';
import { distinct } from '../runs/filter.ts';
import {
  instanceSchema,
  jobFilterSchema,
  RunnerJobFilterInput,
  StartJobInput,
  StopJobInput,
} from './input.ts';
import { type JobRow, RunnerJobType } from './type.ts';

builder.queryFields((t) => ({
  job: t.prismaField({
    type: RunnerJobType,
    nullable: true,
    description: 'The job of a run. Null if the run does not exist or has no job.',
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
      description: 'All jobs, newest run first. At most 100 per page.',
      args: {
        filter: t.arg({
          type: RunnerJobFilterInput,
          required: false,
          description: 'Conditions that the results must meet.',
        }),
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

/** Converts a filter to the store's form, in the caller's workspace. Throws BAD_USER_INPUT if invalid. */
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
    description: 'The job exists and the server manages it.',
    fields: (t) => ({
      job: t.prismaField({
        type: RunnerJobType,
        description: 'The job.',
        resolve: (query, { key }, _args, { store }) =>
          store.catalog.job.findUniqueOrThrow({ ...query, where: { run: key } }),
      }),
      created: t.exposeBoolean('created', {
        description: 'True if this call created the job, false if it already existed with the same settings.',
      }),
    }),
  });

const StopJobSuccess = builder.objectRef<JobAnswer>('StopJobSuccess').implement({
  description: 'The job is stopping or has already ended.',
  fields: (t) => ({
    job: t.prismaField({
      type: RunnerJobType,
      description: 'The job at this moment. Subscribe to `jobUpdated` to see it end.',
      resolve: (query, { key }, _args, { store }) =>
        store.catalog.job.findUniqueOrThrow({ ...query, where: { run: key } }),
    }),
  }),
});

const ClaimJobSuccess = builder.objectRef<Claim>('ClaimJobSuccess').implement({
  description:
    'This instance now owns the job. Repeating the claim with the same instance returns the same answer.',
  fields: (t) => ({
    runId: t.exposeID('runId', { description: 'The run that the job belongs to.' }),
    payload: t.field({
      type: 'JSONObject',
      nullable: true,
      description: 'The payload passed to `startJob`. Null if there was none.',
      resolve: ({ payload }, _args, { budget }) => countedJson(budget, payload),
    }),
    env: t.field({
      type: 'JSONObject',
      description: 'Secret environment variables for the runner.',
      resolve: ({ env }) => ({ ...env }),
    }),
    deadlineAt: t.field({
      type: 'DateTime',
      description: 'When the job is stopped if it is still running.',
      resolve: ({ deadlineAt }) => new Date(deadlineAt),
    }),
    nextSeq: t.expose('nextSeq', { type: 'SafeInt', description: 'The `seq` to give the next event.' }),
    lastTMs: t.expose('lastTMs', {
      type: 'SafeInt',
      description: 'The lowest `tMs` that the next event may have.',
    }),
    token: t.exposeString('token', {
      description: 'The token that the runner must send with every batch from now on.',
    }),
  }),
});

builder.mutationFields((t) => ({
  startJob: t.field({
    type: StartJobSuccess,
    errors: {
      types: [RunConflictError, JobRefusedError],
      union: { description: 'The started job, or the reason it was refused.' },
    },
    description:
      'Starts a job for a run, and creates the run if it does not exist. Idempotent by run: repeating ' +
      'the call returns the existing job. From then on the run accepts events only from the runner ' +
      'that claims the job.',
    args: { input: t.arg({ type: StartJobInput, required: true, description: 'The job to start.' }) },
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
    errors: {
      types: [NotFoundError, JobRefusedError],
      union: { description: 'The stopping job, or the reason it was refused.' },
    },
    description:
      'Stops a job. The runner is asked to exit and is killed when the grace period ends. Stopping a ' +
      'job that has ended changes nothing. If the runner does not end its run, the server ends it.',
    args: { input: t.arg({ type: StopJobInput, required: true, description: 'The job to stop.' }) },
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
    errors: {
      types: [NotFoundError, JobRefusedError],
      union: { description: 'The claimed job, or the reason it was refused.' },
    },
    description:
      'Claims a job. A runner calls this first, with the token from its environment. The first ' +
      'instance wins. Every other instance is refused and must exit, because no substrate guarantees ' +
      'to start exactly one.',
    args: {
      instance: t.arg.string({
        required: true,
        description:
          'Identifies the process: a machine id, or a process id and its start time. At most 200 ' +
          'characters.',
      }),
    },
    resolve: async (_root, args, context) => {
      const { instance } = checkArguments(z.object({ instance: instanceSchema }), args);
      const { principal } = context;
      if (principal.kind !== 'runner' || principal.right.may !== 'claim') {
        throw fault(
          'FORBIDDEN',
          'only the runner of a job can claim it: send the RUNFEED_RUNNER_TOKEN from its environment',
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
      'The job of a run: its state at once, then every change, then `complete` after its end. Changes ' +
      'in quick succession may be merged; the final state is always delivered.',
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

/** Runs `work` and converts the refusals of the jobs module to outcomes of the API. */
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
