import { z } from 'zod';
import { copyJsonObject, newValueBudget } from '../../contract/copy-json.ts';
import type { JsonObject } from '../../contract/events.ts';
import { RUN_PROVIDERS, RUN_RUNTIMES } from '../../contract/jobs.ts';
import { attempt } from '../../lib/attempt.ts';
import { jsonLengthLeft } from '../../lib/text/json-length.ts';
import { RUN_ID_PATTERN, RUN_ID_RULE } from '../../runs/ids.ts';

const MAX_TITLE_LENGTH = 500;
const MAX_LABELS = 64;
const MAX_LABEL_LENGTH = 200;

/** Text that both databases can store and search: no U+0000 and no lone surrogates. */
export const plainText = z
  .string()
  .refine(
    (text) => !text.includes('\u0000') && text.isWellFormed(),
    'must not contain U+0000 or lone surrogates',
  );

/** Creates a schema for a JSON object of at most `maxBytes` bytes of text, which is passed on unchanged. */
export function jsonSchema(maxBytes: number) {
  const tooLong = `must not exceed ${maxBytes} bytes of JSON`;
  return z.custom<JsonObject>().superRefine((value, context) => {
    // Null: nested too deeply for the stack, which the copy reports.
    const left = attempt(() => jsonLengthLeft(value, maxBytes)) ?? 0;
    if (left < 0) return context.addIssue(tooLong);
    const copied = copyJsonObject(value, 'value', newValueBudget());
    if ('problem' in copied) context.addIssue(copied.problem);
    else if (Buffer.byteLength(JSON.stringify(copied.copy)) > maxBytes) context.addIssue(tooLong);
  });
}

/** The title of a run: at most 500 characters of plain text. */
export const titleSchema = plainText.max(MAX_TITLE_LENGTH);

const labelSchema = z.union([plainText.max(MAX_LABEL_LENGTH), z.number(), z.boolean()], {
  error: `must be a string of at most ${MAX_LABEL_LENGTH} characters, a number or a boolean`,
});
const labelNameSchema = plainText
  .min(1)
  .max(MAX_LABEL_LENGTH, `the name of a label must not exceed ${MAX_LABEL_LENGTH} characters`);

/** Labels are flat, so that runs can be found by them. A zod record would drop the key `__proto__`. */
export const labelsSchema = labelsUpTo(MAX_LABELS);

/** Creates a schema for at most `most` labels. */
export function labelsUpTo(most: number) {
  return z.custom<JsonObject>().superRefine((labels, context) => {
    const names = Object.keys(labels);
    if (names.length > most) context.addIssue(`must have at most ${most} labels`);
    for (const name of names.slice(0, most)) {
      for (const result of [labelNameSchema.safeParse(name), labelSchema.safeParse(labels[name])]) {
        const message = result.error?.issues[0]?.message;
        if (message) context.addIssue({ code: 'custom', message, path: [name] });
      }
    }
  });
}

/** The input of `createRun`. */
export const createRunSchema = z
  .object({
    id: z.string().regex(RUN_ID_PATTERN, `must be ${RUN_ID_RULE}`).nullish(),
    provider: z.enum(RUN_PROVIDERS),
    runtime: z.enum(RUN_RUNTIMES).nullish(),
    title: titleSchema.nullish(),
    labels: labelsSchema.nullish(),
  })
  .refine(({ provider, runtime }) => runtime !== 'native' || provider === 'anthropic', {
    message: 'only anthropic runs agents natively: omit runtime or set it to managed',
    path: ['runtime'],
  });
