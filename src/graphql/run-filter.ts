import { z } from 'zod';
import { PROVIDER_RUNTIME_JOB_STATUSES, RUN_PROVIDERS } from '../contract/jobs.ts';
import type { RunListFilter } from '../store/lists.ts';
import { builder } from './builder.ts';
import type { Context } from './context.ts';
import { JobStatusEnum, RunProviderEnum } from './enums.ts';
import { checkArguments } from './invalid-input.ts';
import { labelsSchema, plainText } from './run-input.ts';

/** Each of them is looked for in every run that is read or changes. */
const MAX_FILTER_LABELS = 10;
const MAX_FILTER_WORDS = 10;

/** What a filter on runs may say. Checked here and not by the plugin, since subscriptions use it too. */
const runFilterSchema = z.object({
  providers: z.array(z.enum(RUN_PROVIDERS)).min(1).max(RUN_PROVIDERS.length).nullish(),
  ended: z.boolean().nullish(),
  jobStatuses: z
    .array(z.enum(PROVIDER_RUNTIME_JOB_STATUSES))
    .min(1)
    .max(PROVIDER_RUNTIME_JOB_STATUSES.length)
    .nullish(),
  createdFrom: z.date().nullish(),
  createdBefore: z.date().nullish(),
  labels: labelsSchema
    .refine((labels) => Object.keys(labels).length <= MAX_FILTER_LABELS, {
      error: `must be at most ${MAX_FILTER_LABELS} labels`,
    })
    .nullish(),
  title: plainText
    .max(200)
    .refine((title) => wordsOf(title).length <= MAX_FILTER_WORDS, {
      error: `must be at most ${MAX_FILTER_WORDS} words`,
    })
    .nullish(),
});

export const RunFilterInput = builder.inputType('RunFilter', {
  description: 'Which runs; all conditions must hold.',
  fields: (t) => ({
    providers: t.field({
      type: [RunProviderEnum],
      description: 'Of one of these providers.',
    }),
    ended: t.boolean({ description: 'Ended, or still going on.' }),
    jobStatuses: t.field({
      type: [JobStatusEnum],
      description: 'With a job in one of these statuses.',
    }),
    createdFrom: t.field({
      type: 'DateTime',
      description: 'Created at this time or later.',
    }),
    createdBefore: t.field({
      type: 'DateTime',
      description: 'Created before this time.',
    }),
    labels: t.field({
      type: 'JSONObject',
      description: `With these labels, at most ${MAX_FILTER_LABELS}: text, numbers or booleans, compared exactly.`,
    }),
    title: t.string({
      description: `Every one of these words, at most ${MAX_FILTER_WORDS}, is somewhere in the title; case does not matter.`,
    }),
  }),
});

/** A filter as the store takes it, within the caller's workspace. Throws for one that is at fault. */
export function runListFilter(context: Pick<Context, 'principal'>, filter: unknown): RunListFilter {
  const checked = checkArguments(runFilterSchema.nullish(), filter);
  const { providers, ended, jobStatuses, createdFrom, createdBefore, labels, title } = checked ?? {};
  return {
    workspace: context.principal.workspace,
    providers: distinct(providers),
    ended: ended ?? null,
    jobStatuses: distinct(jobStatuses),
    createdFrom: createdFrom?.getTime() ?? null,
    createdBefore: createdBefore?.getTime() ?? null,
    // Checked to be flat; see labelsSchema.
    labels: (labels ?? {}) as RunListFilter['labels'],
    words: wordsOf(title ?? ''),
  };
}

function wordsOf(title: string): string[] {
  return title.split(/\s+/).filter(Boolean);
}

/** The values of a condition, each once; null: no such condition. */
export function distinct<Value>(values: readonly Value[] | null | undefined): readonly Value[] | null {
  return values ? [...new Set(values)] : null;
}
