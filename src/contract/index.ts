/** `runfeed/contract`: events, jobs, error codes, and the validator for batches. */

export { runnerEventBatchSchema } from './schema.ts';
export * from './without-zod.ts';
