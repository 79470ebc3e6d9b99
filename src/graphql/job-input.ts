import { z } from 'zod';
import { PROVIDER_RUNTIME_JOB_STATUSES, RUN_PROVIDERS } from '../contract/jobs.ts';
import { RUN_RUNTIMES } from '../store/store.ts';
import { builder } from './builder.ts';
import { JobStatusEnum, RunProviderEnum, RunRuntimeEnum } from './enums.ts';
import { RUN_ID_PATTERN } from './run-ids.ts';
import { jsonSchema, labelsSchema, plainText, titleSchema } from './run-input.ts';

/** Of a payload's JSON text. */
const PAYLOAD_MAX_BYTES = 1024 * 1024;
const MAX_INSTANCE_LENGTH = 200;
const MAX_LOG_LINES = 10_000;

const payloadSchema = jsonSchema(PAYLOAD_MAX_BYTES);

const startJobSchema = z.object({
  runId: z.string().regex(RUN_ID_PATTERN, 'must be 1 to 128 of the characters A-Z a-z 0-9 _ . : -'),
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
  description: 'How much a job may use.',
  fields: (t) => ({
    cpus: t.float({ required: true, description: 'Cores; half a core is 0.5.' }),
    memoryMb: t.int({ required: true, description: 'Memory in MiB.' }),
  }),
});

export const StartJobInput = builder.inputType('StartJobInput', {
  description: 'For which run a job is to be started, with which task, and within which limits.',
  validate: { schema: startJobSchema },
  fields: (t) => ({
    runId: t.id({ required: true, description: 'The run’s id. The run is created if it is not there.' }),
    provider: t.field({ type: RunProviderEnum, required: true, description: 'Whose model the run uses.' }),
    runtime: t.field({
      type: RunRuntimeEnum,
      description:
        'By default native for anthropic, which has no job: say `managed`. The others are always managed.',
    }),
    runner: t.string({
      description: 'One of `server { runners { name } }`; by default the first one for the provider.',
    }),
    title: t.string({ description: 'Of the run, if it is created: for people; at most 500 characters.' }),
    labels: t.field({
      type: 'JSONObject',
      description: 'Of the run, if it is created: at most 64 of text, numbers or booleans.',
    }),
    payload: t.field({
      type: 'JSONObject',
      description:
        'What the runner is to do: prompt, files, MCP servers under `mcpServers`, whatever it understands. At most 1 MiB; ' +
        'kept encrypted, and handed out to the runner that claims the job alone.',
    }),
    maxRunDurationMs: t.field({
      type: 'SafeInt',
      description:
        'Milliseconds from its start after which it is stopped; by default and at most its runner’s.',
    }),
    region: t.string({ description: 'One of its runner’s; by default the first.' }),
    resources: t.field({
      type: JobResourcesInput,
      description: 'By default its runner’s, and at most these.',
    }),
  }),
});

export const StopJobInput = builder.inputType('StopJobInput', {
  description: 'Which job to stop.',
  fields: (t) => ({
    runId: t.id({ required: true, description: 'Its run’s id.' }),
    graceMs: t.field({
      type: 'SafeInt',
      validate: { min: 0 },
      description:
        'How long it has to end by itself before it is killed, in milliseconds: by default 10,000, at most 300,000. ' +
        'A second stop can shorten that.',
    }),
  }),
});

/** What the argument `instance` may be. */
export const instanceSchema = plainText.min(1).max(MAX_INSTANCE_LENGTH);

/** How many lines of a log may be asked for. */
export const logLinesSchema = z.int().min(1).max(MAX_LOG_LINES);

/** What a filter on jobs may say. */
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
  description: 'Which jobs; all conditions must hold.',
  fields: (t) => ({
    statuses: t.field({ type: [JobStatusEnum], description: 'In one of these statuses.' }),
    providers: t.field({ type: [RunProviderEnum], description: 'For runs of one of these providers.' }),
    runner: t.string({ description: 'With this runner.' }),
    createdFrom: t.field({ type: 'DateTime', description: 'Created at this time or later.' }),
    createdBefore: t.field({ type: 'DateTime', description: 'Created before this time.' }),
  }),
});
