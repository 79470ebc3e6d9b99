import { z } from 'zod';
import type { ResourceStats } from '../../contract/jobs.ts';
import type { Prisma } from '../../generated/postgres/client.ts';
import { builder } from '../builder.ts';
import { JobStatusEnum, JobSubstrateEnum } from '../enums.ts';
import { checkArguments } from '../errors/invalid-input.ts';
import { counted } from '../price/answer-budget.ts';
import { LOGS_COST } from '../price/limits.ts';
import { logLinesSchema } from './input.ts';

/** The row of a job as Prisma reads it. */
export type JobRow = Prisma.JobGetPayload<object>;

const DEFAULT_LOG_LINES = 100;
/** The maximum length of logs, in UTF-16 units. */
const LOGS_BYTES = 256 * 1024;

const date = (milliseconds: bigint | null) => (milliseconds === null ? null : new Date(Number(milliseconds)));

const RunnerJobHandleType = builder
  .objectRef<{ readonly appName: string; readonly machineId: string }>('RunnerJobHandle')
  .implement({
    description: 'Where a job is on its substrate.',
    fields: (t) => ({
      appName: t.exposeString('appName', { description: 'The app, host or cluster.' }),
      machineId: t.exposeString('machineId', { description: 'The machine, process or pod.' }),
    }),
  });

const ResourceStatsType = builder.objectRef<ResourceStats>('ResourceStats').implement({
  description:
    'A job’s resource usage at the last check. Fields that the substrate does not report are null.',
  fields: (t) => ({
    cpuPercent: t.float({
      nullable: true,
      description: 'CPU usage in percent. 100 is one busy core.',
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
      description: 'Bytes received since the job started.',
      resolve: ({ networkRxBytes }) => networkRxBytes ?? null,
    }),
    networkTxBytes: t.field({
      type: 'SafeInt',
      nullable: true,
      description: 'Bytes sent since the job started.',
      resolve: ({ networkTxBytes }) => networkTxBytes ?? null,
    }),
  }),
});

const JobResourcesType = builder
  .objectRef<{ readonly cpus: number; readonly memoryMb: number }>('JobResources')
  .implement({
    description: 'The CPU and memory that a job may use.',
    fields: (t) => ({
      cpus: t.exposeFloat('cpus', { description: 'CPU cores.' }),
      memoryMb: t.exposeInt('memoryMb', { description: 'Memory in MiB.' }),
    }),
  });

export const RunnerJobType = builder.prismaObject('Job', {
  name: 'RunnerJob',
  description: 'The job that runs a run’s runner on a substrate. A job is one attempt; a retry is a new run.',
  fields: (t) => ({
    run: t.relation('runRow', { description: 'The run that the job belongs to.' }),
    status: t.field({
      type: JobStatusEnum,
      description: 'The status of the job. It only moves forward.',
      resolve: ({ status }) => status as typeof JobStatusEnum.$inferType,
    }),
    substrate: t.field({
      type: JobSubstrateEnum,
      description: 'The substrate.',
      resolve: ({ substrate }) => substrate as typeof JobSubstrateEnum.$inferType,
    }),
    runner: t.exposeString('runner', {
      description: 'The name of the runner in the server’s configuration.',
    }),
    image: t.exposeString('image', { description: 'The container image, pinned by digest.' }),
    region: t.exposeString('region', { description: 'The region that the job runs in.' }),
    resources: t.field({
      type: JobResourcesType,
      nullable: true,
      description: 'The CPU and memory that the job may use. Null for the substrate’s default.',
      resolve: ({ cpus, memoryMb }) => (cpus === null || memoryMb === null ? null : { cpus, memoryMb }),
    }),
    maxRunDurationMs: t.field({
      type: 'SafeInt',
      description: 'The job is stopped this many milliseconds after its start.',
      resolve: ({ maxRunDurationMs }) => Number(maxRunDurationMs),
    }),
    handle: t.field({
      type: RunnerJobHandleType,
      nullable: true,
      description: 'Where the job is on its substrate. Null before it exists there.',
      resolve: ({ appName, machineId }) =>
        appName === null || machineId === null ? null : { appName, machineId },
    }),
    terminalErrorClass: t.exposeString('errorClass', {
      nullable: true,
      description: 'Why the job failed, as a code such as `oom_killed`. Null if it did not fail.',
    }),
    terminalErrorMessage: t.string({
      nullable: true,
      description: 'Why the job failed, as a sentence.',
      resolve: ({ errorMessage }, _args, { budget }) => counted(budget, errorMessage),
    }),
    exitCode: t.exposeInt('exitCode', {
      nullable: true,
      description:
        'The exit code of the main process. Null if it has not exited or the substrate does not ' +
        'report it.',
    }),
    resourceStats: t.field({
      type: ResourceStatsType,
      nullable: true,
      description: 'Resource usage at the last check. Null if unknown.',
      resolve: ({ stats }) => (stats === null ? null : (JSON.parse(stats) as ResourceStats)),
    }),
    createdAt: t.field({
      type: 'DateTime',
      description: 'When the job was requested.',
      resolve: ({ createdAt }) => new Date(Number(createdAt)),
    }),
    startedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When the job started running.',
      resolve: ({ startedAt }) => date(startedAt),
    }),
    endedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When the end of the job was detected.',
      resolve: ({ endedAt }) => date(endedAt),
    }),
    logs: t.string({
      nullable: true,
      description: 'The newest lines of output, with secrets removed. Null if no output is available.',
      args: {
        lines: t.arg.int({
          required: false,
          description: `The number of lines, from 1 to 10,000. Defaults to ${DEFAULT_LOG_LINES}.`,
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
      description: 'A web page about the job at its substrate. Null if there is none.',
      resolve: ({ substrate, appName, machineId }, _args, { jobs }) =>
        jobs.consoleUrl({ substrate: substrate as typeof JobSubstrateEnum.$inferType, appName, machineId }),
    }),
  }),
});
