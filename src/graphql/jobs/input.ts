import { z } from 'zod';
import { PROVIDER_RUNTIME_JOB_STATUSES, RUN_PROVIDERS, RUN_RUNTIMES } from '../../contract/jobs.ts';
import { RUN_ID_PATTERN, RUN_ID_RULE } from '../../runs/ids.ts';
import { builder } from '../builder.ts';
import { JobStatusEnum, RunProviderEnum, RunRuntimeEnum } from '../enums.ts';
import { jsonSchema, labelsSchema, plainText, titleSchema } from '../runs/input.ts';

/** The maximum size of a payload as JSON text. */
const PAYLOAD_MAX_BYTES = 1024 * 1024;
const MAX_INSTANCE_LENGTH = 200;
const MAX_LOG_LINES = 10_000;

const payloadSchema = jsonSchema(PAYLOAD_MAX_BYTES);

const startJobSchema = z.object({
  runId: z.string().regex(RUN_ID_PATTERN, `must be ${RUN_ID_RULE}`),
  provider: z.enum(RUN_PROVIDERS),
  runtime: z.enum(RUN_RUNTIMES).nullish(),
  runner: plainText.max(100).nullish(),
  title: titleSchema.nullish(),
  labels: labelsSchema.nullish(),
  payload: payloadSchema.nullish(),
  maxRunDurationMs: z.int().min(1).nullish(),
  region: plainText.min(1).max(100).nullish(),
  resources: z
    .object({
      cpus: z.number().positive().max(1_024),
      memoryMb: z
        .int()
        .min(1)
        .max(2 ** 22),
    })
    .nullish(),
});

const JobResourcesInput = builder.inputType('JobResourcesInput', {
  description: 'The CPU and memory that a job may use.',
  fields: (t) => ({
    cpus: t.float({ required: true, description: 'CPU cores. 0.5 is half a core.' }),
    memoryMb: t.int({ required: true, description: 'Memory in MiB.' }),
  }),
});

export const StartJobInput = builder.inputType('StartJobInput', {
  description: 'A job to start: its run, payload and limits.',
  validate: { schema: startJobSchema },
  fields: (t) => ({
    runId: t.id({ required: true, description: 'The run’s id. The run is created if it does not exist.' }),
    provider: t.field({
      type: RunProviderEnum,
      required: true,
      description: 'The provider of the run’s model.',
    }),
    runtime: t.field({
      type: RunRuntimeEnum,
      description:
        'Where the agent runs. For anthropic the default is `native`, which has no job: pass ' +
        '`managed`. All other providers are always `managed`.',
    }),
    runner: t.string({
      description:
        'One of `server { runners { name } }`. Defaults to the first runner that supports the provider.',
    }),
    title: t.string({ description: 'A title for the run if it is created. At most 500 characters.' }),
    labels: t.field({
      type: 'JSONObject',
      description: 'Labels for the run if it is created: at most 64 strings, numbers or booleans.',
    }),
    payload: t.field({
      type: 'JSONObject',
      description:
        'Instructions for the runner, such as a prompt, files, or MCP servers under `mcpServers`. At ' +
        'most 1 MiB. Stored encrypted and given only to the runner that claims the job.',
    }),
    maxRunDurationMs: t.field({
      type: 'SafeInt',
      description:
        'The job is stopped this many milliseconds after its start. The runner’s value is the ' +
        'default and the maximum.',
    }),
    region: t.string({ description: 'One of the runner’s regions. Defaults to the first.' }),
    resources: t.field({
      type: JobResourcesInput,
      description: 'The runner’s values are the default and the maximum.',
    }),
  }),
});

export const StopJobInput = builder.inputType('StopJobInput', {
  description: 'The job to stop.',
  fields: (t) => ({
    runId: t.id({ required: true, description: 'The id of the job’s run.' }),
    graceMs: t.field({
      type: 'SafeInt',
      validate: { min: 0 },
      description:
        'The grace period before the job is killed, in milliseconds. Defaults to 10,000. At most ' +
        '300,000. A second stop can shorten it.',
    }),
  }),
});

/** The argument `instance`: 1 to 200 characters of plain text. */
export const instanceSchema = plainText.min(1).max(MAX_INSTANCE_LENGTH);

/** The argument `lines`: 1 to 10,000. */
export const logLinesSchema = z.int().min(1).max(MAX_LOG_LINES);

/** The argument `filter` of `jobs`. */
export const jobFilterSchema = z.object({
  statuses: z
    .array(z.enum(PROVIDER_RUNTIME_JOB_STATUSES))
    .min(1)
    .max(PROVIDER_RUNTIME_JOB_STATUSES.length)
    .nullish(),
  providers: z.array(z.enum(RUN_PROVIDERS)).min(1).max(RUN_PROVIDERS.length).nullish(),
  runner: plainText.max(100).nullish(),
  createdFrom: z.date().nullish(),
  createdBefore: z.date().nullish(),
});

export const RunnerJobFilterInput = builder.inputType('RunnerJobFilter', {
  description: 'Conditions on jobs. All of them must hold.',
  fields: (t) => ({
    statuses: t.field({ type: [JobStatusEnum], description: 'Has one of these statuses.' }),
    providers: t.field({ type: [RunProviderEnum], description: 'The run uses one of these providers.' }),
    runner: t.string({ description: 'Uses this runner.' }),
    createdFrom: t.field({ type: 'DateTime', description: 'Created at this time or later.' }),
    createdBefore: t.field({ type: 'DateTime', description: 'Created before this time.' }),
  }),
});
