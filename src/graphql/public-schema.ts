import { MapperKind, mapSchema } from '@graphql-tools/utils';
import {
  GraphQLID,
  type GraphQLInputFieldConfigMap,
  GraphQLInputObjectType,
  GraphQLInt,
  GraphQLList,
  GraphQLNonNull,
  type GraphQLSchema,
  isInputType,
} from 'graphql';
import { BATCH_INPUT, BATCH_INPUT_DESCRIPTION, EVENT_INPUT } from './batch-input.ts';

/**
 * The schema that people see, print, explore and validate documents against: the executed one, but with the batch's
 * scalar shown as the typed input that it stands for.
 */
export function showBatchInput(executed: GraphQLSchema): GraphQLSchema {
  return mapSchema(executed, {
    [MapperKind.TYPE]: (type) =>
      type.name === BATCH_INPUT
        ? new GraphQLInputObjectType({
            name: BATCH_INPUT,
            description: BATCH_INPUT_DESCRIPTION,
            fields: () => batchFields(executed),
          })
        : undefined,
  });
}

function batchFields(executed: GraphQLSchema): GraphQLInputFieldConfigMap {
  const event = executed.getType(EVENT_INPUT);
  if (!isInputType(event)) throw new Error(`the schema has no input ${EVENT_INPUT}`);
  const events = new GraphQLNonNull(new GraphQLList(new GraphQLNonNull(event)));
  return {
    v: { type: new GraphQLNonNull(GraphQLInt), description: 'The contract’s version: 1.' },
    runId: { type: new GraphQLNonNull(GraphQLID), description: 'The run’s id.' },
    events: { type: events, description: '1 to 256 events, ascending by `seq`.' },
  };
}
