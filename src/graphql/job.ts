import { z } from 'zod';
import type { ResourceStats } from '../contract/jobs.ts';
import type { Prisma } from '../generated/postgres/client.ts';
import { counted } from './answer-budget.ts';
import { builder } from './builder.ts';
import { JobStatusEnum, JobSubstrateEnum } from './enums.ts';
import { checkArguments } from './invalid-input.ts';
import { logLinesSchema } from './job-input.ts';

/** A job's row as Prisma reads it. */
export type JobRow = Prisma.JobGetPayload<object>;

const DEFAULT_LOG_LINES = 100;
/** What logs come to at most, in UTF-16 units, and what reading them costs, in fields. */
const LOGS_BYTES = 256 * 1024;
export const LOGS_COST = 2_500;

const date = (milliseconds: bigint | null) => (milliseconds === null ? null : new Date(Number(milliseconds)));

const RunnerJobHandleType = builder
  .objectRef<{ readonly appName: string; readonly machineId: string }>('RunnerJobHandle')
  .implement({
    description: 'Where the substrate has the job.',
    fields: (t) => ({
      appName: t.exposeString('appName', { description: 'The app, host or cluster.' }),
      machineId: t.exposeString('machineId', { description: 'The machine, process or pod.' }),
    }),
  });

const ResourceStatsType = builder.objectRef<ResourceStats>('ResourceStats').implement({
  description: 'What a job used when it was last looked at; null: the substrate does not tell.',
  fields: (t) => ({
    cpuPercent: t.float({
      nullable: true,
      description: '100 is one core kept busy.',
      resolve: ({ cpuPercent }) => cpuPercent ?? null,
    }),
    memoryMb: t.float({
      nullable: true,
      description: 'Memory in MiB.',
      resolve: ({ memoryMb }) => memoryMb ?? null,
    }),
    networkRxBytes: t.field({
      type: 'SafeInt',
      nullable: true,
      description: 'Bytes received since its start.',
      resolve: ({ networkRxBytes }) => networkRxBytes ?? null,
    }),
    networkTxBytes: t.field({
      type: 'SafeInt',
      nullable: true,
      description: 'Bytes sent since its start.',
      resolve: ({ networkTxBytes }) => networkTxBytes ?? null,
    }),
  }),
});

const JobResourcesType = builder
  .objectRef<{ readonly cpus: number; readonly memoryMb: number }>('JobResources')
  .implement({
    description: 'How much a job may use.',
    fields: (t) => ({
      cpus: t.exposeFloat('cpus', { description: 'Cores.' }),
      memoryMb: t.exposeInt('memoryMb', { description: 'Memory in MiB.' }),
    }),
  });

export const RunnerJobType = builder.prismaObject('Job', {
  name: 'RunnerJob',
  description:
    'The job that runs a run’s runner on a substrate. One job, one attempt: a new try is a new run.',
  fields: (t) => ({
    run: t.relation('runRow', { description: 'The run that it works for.' }),
    status: t.field({
      type: JobStatusEnum,
      description: 'How far it is. It only moves forward.',
      resolve: ({ status }) => status as typeof JobStatusEnum.$inferType,
    }),
    substrate: t.field({
      type: JobSubstrateEnum,
      description: 'What it runs on.',
      resolve: ({ substrate }) => substrate as typeof JobSubstrateEnum.$inferType,
    }),
    runner: t.exposeString('runner', {
      description: 'The name of its runner in the server’s configuration.',
    }),
    image: t.exposeString('image', { description: 'What runs, pinned by digest.' }),
    region: t.exposeString('region', { description: 'Where it runs.' }),
    resources: t.field({
      type: JobResourcesType,
      nullable: true,
      description: 'How much it may use; null: what the substrate gives by itself.',
      resolve: ({ cpus, memoryMb }) => (cpus === null || memoryMb === null ? null : { cpus, memoryMb }),
    }),
    maxRunDurationMs: t.field({
      type: 'SafeInt',
      description: 'Milliseconds from its start after which it is stopped.',
      resolve: ({ maxRunDurationMs }) => Number(maxRunDurationMs),
    }),
    handle: t.field({
      type: RunnerJobHandleType,
      nullable: true,
      description: 'Where the substrate has it; null: nowhere yet.',
      resolve: ({ appName, machineId }) =>
        appName === null || machineId === null ? null : { appName, machineId },
    }),
    terminalErrorClass: t.exposeString('errorClass', {
      nullable: true,
      description: 'Why it failed, for programs, such as `oom_killed`; null: it did not.',
    }),
    terminalErrorMessage: t.string({
      nullable: true,
      description: 'The same for people.',
      resolve: ({ errorMessage }, _args, { budget }) => counted(budget, errorMessage),
    }),
    exitCode: t.exposeInt('exitCode', {
      nullable: true,
      description: 'What its main process ended with; null: it has not, or the substrate does not tell.',
    }),
    resourceStats: t.field({
      type: ResourceStatsType,
      nullable: true,
      description: 'What it used when it was last looked at; null: nobody knows.',
      resolve: ({ stats }) => (stats === null ? null : (JSON.parse(stats) as ResourceStats)),
    }),
    createdAt: t.field({
      type: 'DateTime',
      description: 'When it was asked for.',
      resolve: ({ createdAt }) => new Date(Number(createdAt)),
    }),
    startedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When it came to run.',
      resolve: ({ startedAt }) => date(startedAt),
    }),
    endedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When its end was known.',
      resolve: ({ endedAt }) => date(endedAt),
    }),
    logs: t.string({
      nullable: true,
      description: 'The newest lines that it printed, without secrets; null when there are none to be had.',
      args: {
        lines: t.arg.int({
          required: false,
          description: `How many: 1 to 10,000, by default ${DEFAULT_LOG_LINES}.`,
        }),
      },
      resolve: async ({ run }, args, { jobs, budget }) => {
        const { lines } = checkArguments(z.object({ lines: logLinesSchema.nullish() }), args);
        const { text } = await budget.read(LOGS_COST, ({ part, left }) =>
          part(Math.min(LOGS_BYTES, left()), async () => {
            const text = await jobs.logs(run, lines ?? DEFAULT_LOG_LINES);
            return { text, bytes: text?.length ?? 0 };
          }),
        );
        if (text) budget.write(text.length);
        return text;
      },
    }),
    consoleUrl: t.string({
      nullable: true,
      description: 'Where a person can look at it; null: nowhere.',
      resolve: ({ substrate, appName, machineId }, _args, { jobs }) =>
        jobs.consoleUrl({ substrate: substrate as typeof JobSubstrateEnum.$inferType, appName, machineId }),
    }),
  }),
});
