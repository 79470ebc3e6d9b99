import { z } from 'zod';
import { PROVIDER_RUNTIME_JOB_STATUSES, RUN_PROVIDERS } from '../../contract/jobs.ts';
import type { RunListFilter } from '../../store/lists.ts';
import { builder } from '../builder.ts';
import type { Context } from '../context.ts';
import { JobStatusEnum, RunProviderEnum } from '../enums.ts';
import { checkArguments } from '../errors/invalid-input.ts';
import { labelsUpTo, plainText } from './input.ts';

/** Each label and word is compared with every run that is read or changes. */
const MAX_FILTER_LABELS = 10;
const MAX_FILTER_WORDS = 10;

/** The argument `filter`. Checked here rather than by the plugin, because subscriptions use it, too. */
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
  labels: labelsUpTo(MAX_FILTER_LABELS).nullish(),
  title: plainText
    // Splitting a megabyte into words takes 50 ms, so a long title is refused before.
    .max(200, { abort: true })
    .refine((title) => wordsOf(title).length <= MAX_FILTER_WORDS, {
      error: `must have at most ${MAX_FILTER_WORDS} words`,
    })
    .nullish(),
});

export const RunFilterInput = builder.inputType('RunFilter', {
  description: 'Conditions on runs. All of them must hold.',
  fields: (t) => ({
    providers: t.field({
      type: [RunProviderEnum],
      description: 'Uses one of these providers.',
    }),
    ended: t.boolean({ description: 'True for runs that have ended, false for runs that continue.' }),
    jobStatuses: t.field({
      type: [JobStatusEnum],
      description: 'Has a job with one of these statuses.',
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
      description: `Has all of these labels, compared exactly. At most ${MAX_FILTER_LABELS} strings, numbers or booleans.`,
    }),
    title: t.string({
      description: `The title contains every one of these words, in any case. At most ${MAX_FILTER_WORDS} words.`,
    }),
  }),
});

/** Converts a filter to the store's form, in the caller's workspace. Throws BAD_USER_INPUT if invalid. */
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
    // `labelsUpTo` has checked that the labels are flat.
    labels: (labels ?? {}) as RunListFilter['labels'],
    words: wordsOf(title ?? ''),
  };
}

function wordsOf(title: string): string[] {
  return title.split(/\s+/).filter(Boolean);
}

/** Returns the values of a condition without duplicates; null if there is no such condition. */
export function distinct<Value>(values: readonly Value[] | null | undefined): readonly Value[] | null {
  return values ? [...new Set(values)] : null;
}
