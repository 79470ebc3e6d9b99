import { z } from 'zod';
import type { RunnerEventBatch } from './events.ts';
import { validateRunnerEventBatch } from './validate.ts';

/**
 * The validator as a zod schema: the output is the accepted batch. A failure is one custom issue with the
 * validator's message and code (`params.code`). Its path names the event, if the failure concerns one.
 */
// Bundlers drop an unused call that is marked pure, and zod with it. For users of only the validator, that
// reduces 94 kB gzip to 3 kB.
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
