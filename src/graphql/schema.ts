import { type GraphQLSchema, lexicographicSortSchema, printSchema } from 'graphql';
import { builder } from './builder.ts';
import { showBatchInput } from './ingest/public-schema.ts';
import './scalars.ts';
import './errors/outcomes.ts';
import './runs/fields.ts';
import './ingest/fields.ts';
import './feed/fields.ts';
import './jobs/type.ts';
import './jobs/fields.ts';
import './runs/native-runs.ts';
import './server-info.ts';

/** The schema that operations are executed on. */
export const executedSchema: GraphQLSchema = builder.toSchema();

/** The schema that clients see. */
export const publicSchema: GraphQLSchema = showBatchInput(executedSchema);

/** Returns the sorted schema as text, which is committed as `schema.graphql`. */
export function schemaText(): string {
  return `${printSchema(lexicographicSortSchema(publicSchema))}\n`;
}
