import { type GraphQLSchema, lexicographicSortSchema, printSchema } from 'graphql';
import { builder } from './builder.ts';
import './scalars.ts';
import './outcomes.ts';
import './runs.ts';
import './ingest.ts';
import './feed.ts';
import './server-info.ts';

/** The schema that people see: print it, explore it, validate against it. */
export const publicSchema: GraphQLSchema = builder.toSchema();

/** The schema as text, sorted: what is committed as `schema.graphql`. */
export function schemaText(): string {
  return `${printSchema(lexicographicSortSchema(publicSchema))}\n`;
}
