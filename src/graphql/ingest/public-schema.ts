import {
  type GraphQLArgumentConfig,
  GraphQLID,
  type GraphQLInputFieldConfigMap,
  GraphQLInputObjectType,
  type GraphQLInputType,
  GraphQLInt,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  GraphQLSchema,
  getNamedType,
  isInputType,
  isNonNullType,
} from 'graphql';
import { BATCH_INPUT, BATCH_INPUT_DESCRIPTION, EVENT_INPUT } from './batch-input.ts';

/**
 * Returns the public schema, which is printed and introspected, and against which documents are validated:
 * the executed schema with the batch's scalar replaced by the typed input that it stands for. Only arguments
 * of mutations may use that scalar. The constructor of the schema throws if another place uses it, because
 * two types would have the same name.
 */
export function showBatchInput(executed: GraphQLSchema): GraphQLSchema {
  const { mutation, types, ...config } = executed.toConfig();
  if (!mutation) throw new Error('the schema has no mutations');
  const batch = new GraphQLInputObjectType({
    name: BATCH_INPUT,
    description: BATCH_INPUT_DESCRIPTION,
    fields: () => batchFields(executed),
  });
  const shown = withBatch(mutation, batch);
  const replaced: readonly string[] = [BATCH_INPUT, mutation.name];
  return new GraphQLSchema({
    ...config,
    mutation: shown,
    types: [...types.filter(({ name }) => !replaced.includes(name)), batch, shown],
  });
}

function withBatch(mutation: GraphQLObjectType, batch: GraphQLInputType): GraphQLObjectType {
  const { fields, ...config } = mutation.toConfig();
  const shown = (argument: GraphQLArgumentConfig): GraphQLArgumentConfig => {
    if (getNamedType(argument.type).name !== BATCH_INPUT) return argument;
    return { ...argument, type: isNonNullType(argument.type) ? new GraphQLNonNull(batch) : batch };
  };
  return new GraphQLObjectType({
    ...config,
    fields: mapValues(fields, ({ args = {}, ...field }) => ({ ...field, args: mapValues(args, shown) })),
  });
}

function mapValues<From, To>(
  record: Readonly<Record<string, From>>,
  change: (value: From) => To,
): Record<string, To> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}

function batchFields(executed: GraphQLSchema): GraphQLInputFieldConfigMap {
  const event = executed.getType(EVENT_INPUT);
  if (!isInputType(event)) throw new Error(`the schema has no input ${EVENT_INPUT}`);
  const events = new GraphQLNonNull(new GraphQLList(new GraphQLNonNull(event)));
  return {
    v: { type: new GraphQLNonNull(GraphQLInt), description: 'The version of the contract: 1.' },
    runId: { type: new GraphQLNonNull(GraphQLID), description: 'The run’s id.' },
    events: { type: events, description: '1 to 256 events in ascending order of `seq`.' },
  };
}
