import { Kind, type TypeNode } from 'graphql';
import { validateRunnerEventBatch } from '../../contract/validate.ts';
import { builder } from '../builder.ts';
import { RunnerEventKindEnum } from '../enums.ts';
import { literalToJson } from '../literals.ts';

/** The names of the input types in the public schema. */
export const BATCH_INPUT = 'RunnerEventBatchInput';
export const EVENT_INPUT = 'RunnerEventInput';

export const BATCH_INPUT_DESCRIPTION =
  'One batch of events. Pass it as a variable: then unknown keys are dropped, nothing is coerced, and ' +
  'every refusal is a `BatchRejected`.';

/** Keys of a batch whose strings GraphQL writes as enum values. */
export const BATCH_ENUM_KEYS: ReadonlySet<string> = new Set(['kind']);

/**
 * The executed type of what the public schema shows as a typed input: a scalar whose value is the contract's
 * verdict on the raw input. A batch therefore reaches the contract unchanged, is checked once, and every
 * refusal is an outcome with its exact code. GraphQL's own coercion of 256 events would cost more than
 * storing them.
 */
builder.scalarType(BATCH_INPUT, {
  description: BATCH_INPUT_DESCRIPTION,
  serialize: () => {
    throw new TypeError(`${BATCH_INPUT} is an input type and cannot be returned`);
  },
  parseValue: validateRunnerEventBatch,
  parseLiteral: (node, variables) =>
    validateRunnerEventBatch(literalToJson(node, variables, BATCH_ENUM_KEYS)),
});

builder.inputType(EVENT_INPUT, {
  description: 'One event, numbered by its producer.',
  fields: (t) => ({
    seq: t.field({
      type: 'SafeInt',
      required: true,
      description: 'The producer’s number for the event, from 0 to 2^53−1. Strictly increasing within a run.',
    }),
    tMs: t.field({
      type: 'SafeInt',
      required: true,
      description: 'When the event happened, in milliseconds. Never lower than that of the event before it.',
    }),
    kind: t.field({ type: RunnerEventKindEnum, required: true, description: 'The kind of the event.' }),
    data: t.field({
      type: 'JSONObject',
      required: true,
      description: 'The content. At most 512 levels deep.',
    }),
  }),
});

/** Returns true if a variable of this type holds batches. */
export function isBatchType(type: TypeNode): boolean {
  return type.kind === Kind.NAMED_TYPE ? type.name.value === BATCH_INPUT : isBatchType(type.type);
}
