import { validateRunnerEventBatch } from '../contract/validate.ts';
import { builder } from './builder.ts';
import { RunnerEventKindEnum } from './enums.ts';
import { literalToJson } from './literals.ts';

/** The names that people see. */
export const BATCH_INPUT = 'RunnerEventBatchInput';
export const EVENT_INPUT = 'RunnerEventInput';

export const BATCH_INPUT_DESCRIPTION =
  'One batch of the wire contract. Given as a variable it is checked by the contract alone: unknown keys are dropped, ' +
  'nothing is converted, and every refusal is a `BatchRejected`.';

/** Keys of a batch under which GraphQL writes text as an enum value. */
export const BATCH_ENUM_KEYS: ReadonlySet<string> = new Set(['kind']);

/**
 * What is executed where people see a typed input: a scalar whose value is the contract's verdict on the raw input. So
 * a batch reaches the contract as it was sent, is checked once, and every refusal is an outcome with its exact code.
 * GraphQL's own coercion of 256 events would cost more than storing them.
 */
builder.scalarType(BATCH_INPUT, {
  description: BATCH_INPUT_DESCRIPTION,
  serialize: () => {
    throw new TypeError(`${BATCH_INPUT} is an input`);
  },
  parseValue: validateRunnerEventBatch,
  parseLiteral: (node, variables) =>
    validateRunnerEventBatch(literalToJson(node, variables, BATCH_ENUM_KEYS)),
});

builder.inputType(EVENT_INPUT, {
  description: 'One event as its producer numbered it.',
  fields: (t) => ({
    seq: t.field({
      type: 'SafeInt',
      required: true,
      description: 'From 0 to 2^53−1; rises strictly within a run.',
    }),
    tMs: t.field({
      type: 'SafeInt',
      required: true,
      description: 'When, in milliseconds; never below the event before it.',
    }),
    kind: t.field({ type: RunnerEventKindEnum, required: true, description: 'What it is.' }),
    data: t.field({
      type: 'JSONObject',
      required: true,
      description: 'Its content; at most 512 levels deep.',
    }),
  }),
});
