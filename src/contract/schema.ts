import { z } from 'zod';
import type { RunnerEventBatch } from './events.ts';
import { validateRunnerEventBatch } from './validate.ts';

/**
 * The validator as a zod schema: the output is the accepted batch. A failure is one custom issue with the
 * validator's message; its `params.code` is the validator's code, and its path leads to the event where there is one.
 */
// A bundler drops a call that it is told is pure, and zod with it, where only the validator is used: 94 kB gzip became 3.
export const runnerEventBatchSchema: z.ZodType<RunnerEventBatch, unknown> = /* @__PURE__ */ (() =>
  z.unknown().transform((input, context) => {
    const verdict = validateRunnerEventBatch(input);
    if (verdict.ok) return verdict.batch;
    context.addIssue({
      code: 'custom',
      message: verdict.message,
      path: verdict.eventIndex === undefined ? [] : ['events', verdict.eventIndex],
      params: { code: verdict.code },
    });
    return z.NEVER;
  }))();
