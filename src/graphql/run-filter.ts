import { z } from 'zod';
import { PROVIDER_RUNTIME_JOB_STATUSES, RUN_PROVIDERS } from '../contract/jobs.ts';
import type { Prisma } from '../generated/postgres/client.ts';
import { builder } from './builder.ts';
import type { Context } from './context.ts';
import { JobStatusEnum, RunProviderEnum } from './enums.ts';
import { labelsSchema, plainText } from './run-input.ts';

/** What a filter on runs may say. Checked here and not by the plugin, since subscriptions use it too. */
export const runFilterSchema = z.object({
  providers: z.array(z.enum(RUN_PROVIDERS)).min(1).max(RUN_PROVIDERS.length).nullish(),
  ended: z.boolean().nullish(),
  jobStatuses: z
    .array(z.enum(PROVIDER_RUNTIME_JOB_STATUSES))
    .min(1)
    .max(PROVIDER_RUNTIME_JOB_STATUSES.length)
    .nullish(),
  createdFrom: z.date().nullish(),
  createdBefore: z.date().nullish(),
  labels: labelsSchema.nullish(),
  title: plainText.max(200).nullish(),
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
      description: 'With these labels: text, numbers or booleans, compared exactly.',
    }),
    title: t.string({
      description: 'Every one of these words is somewhere in the title; case does not matter.',
    }),
  }),
});

/** A filter as a condition of the model API, within the caller's workspace. */
export function whereRuns(
  context: Context,
  filter: z.infer<typeof runFilterSchema> | null,
): Prisma.RunWhereInput {
  const { providers, ended, jobStatuses, createdFrom, createdBefore, labels, title } = filter ?? {};
  const words = title?.split(/\s+/).filter(Boolean) ?? [];
  const { dialect } = context.store;
  return {
    workspace: context.principal.workspace,
    AND: [
      ...(providers ? [{ provider: { in: [...providers] } }] : []),
      ...(ended == null ? [] : [{ terminalSeq: ended ? { not: null } : null }]),
      ...(jobStatuses ? [{ job: { status: { in: [...jobStatuses] } } }] : []),
      ...(createdFrom ? [{ createdAt: { gte: createdFrom.getTime() } }] : []),
      ...(createdBefore ? [{ createdAt: { lt: createdBefore.getTime() } }] : []),
      ...Object.entries(labels ?? {}).map(([label, value]) => hasLabel(dialect, label, value)),
      ...words.map((word) => ({ title: containsWord(dialect, word) })),
    ],
  };
}

/** Postgres takes the path to a JSON value as a list, SQLite as one expression. */
function hasLabel(dialect: 'sqlite' | 'postgres', label: string, value: unknown): Prisma.RunWhereInput {
  const path = dialect === 'postgres' ? [label] : `$.${JSON.stringify(label)}`;
  return { labels: { path: path as string[], equals: value as string } };
}

/**
 * SQLite's LIKE ignores the case of ASCII by itself and has no mode for it. Prisma escapes nothing: in Postgres a
 * backslash does, SQLite has no such character unless the statement names one, so there `_` and `%` find too much.
 */
function containsWord(dialect: 'sqlite' | 'postgres', word: string): Prisma.StringNullableFilter {
  return dialect === 'postgres'
    ? { contains: word.replace(/[\\%_]/g, '\\$&'), mode: 'insensitive' }
    : { contains: word };
}
