import { MapperKind, mapSchema } from '@graphql-tools/utils';
import { GraphQLScalarType, type GraphQLSchema } from 'graphql';
import { validateRunnerEventBatch } from '../contract/validate.ts';
import { BATCH_INPUT } from './ingest.ts';
import { literalToJson } from './literals.ts';

/** Keys of a batch under which GraphQL writes text as an enum value. */
const ENUM_KEYS = new Set(['kind']);

/**
 * The schema that operations are executed on. It is the one that people see but for the batch: there a scalar, whose
 * value is the contract's verdict on the raw input. So a batch reaches the contract as it was sent, is checked once,
 * and every refusal is an outcome with its exact code. GraphQL's own coercion of 256 events would cost more than
 * storing them.
 */
export function executableTwin(schema: GraphQLSchema): GraphQLSchema {
  return mapSchema(schema, {
    [MapperKind.TYPE]: (type) =>
      type.name === BATCH_INPUT
        ? new GraphQLScalarType({
            name: BATCH_INPUT,
            parseValue: validateRunnerEventBatch,
            parseLiteral: (node, variables) =>
              validateRunnerEventBatch(literalToJson(node, variables, ENUM_KEYS)),
          })
        : undefined,
  });
}
