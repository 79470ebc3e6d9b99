import { type GraphQLSchema, lexicographicSortSchema, printSchema } from 'graphql';
import { builder } from './builder.ts';
import { showBatchInput } from './public-schema.ts';
import './scalars.ts';
import './outcomes.ts';
import './runs.ts';
import './ingest.ts';
import './feed.ts';
import './job.ts';
import './jobs.ts';
import './native-runs.ts';
import './server-info.ts';

/** The schema that operations are executed on. */
export const executedSchema: GraphQLSchema = builder.toSchema();

/** The schema that clients see. */
export const publicSchema: GraphQLSchema = showBatchInput(executedSchema);

/** Returns the sorted schema as text, which is committed as `schema.graphql`. */
export function schemaText(): string {
  return `${printSchema(lexicographicSortSchema(publicSchema))}\n`;
}
