import { GraphQLError, GraphQLScalarType } from 'graphql';
import { GraphQLDateTime, GraphQLJSONObject, GraphQLSafeInt } from 'graphql-scalars';
import type { JsonObject } from '../contract/events.ts';
import { builder } from './builder.ts';
import { assertJsonLiteral, literalToJson } from './literals.ts';

builder.addScalarType('SafeInt', GraphQLSafeInt);
builder.addScalarType(
  'DateTime',
  new GraphQLScalarType<Date, string>({
    ...GraphQLDateTime.toConfig(),
    // The library returns a Date, which is most expensive when the whole answer is serialized in one step.
    serialize: (value) => GraphQLDateTime.serialize(value).toISOString(),
  }),
);
builder.addScalarType(
  'JSONObject',
  new GraphQLScalarType<JsonObject, unknown>({
    name: GraphQLJSONObject.name,
    specifiedByURL: GraphQLJSONObject.specifiedByURL ?? null,
    serialize: (value) => GraphQLJSONObject.serialize(value),
    parseValue: (value) => GraphQLJSONObject.parseValue(value) as JsonObject,
    description: 'A JSON object. Keys keep their order; numbers are IEEE doubles.',
    parseLiteral: (node, variables) => {
      assertJsonLiteral(node);
      const value = literalToJson(node, variables);
      if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        throw new GraphQLError('expected a JSON object', {
          nodes: node,
        });
      }
      return value as JsonObject;
    },
  }),
);
