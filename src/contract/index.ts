/** `runfeed/contract`: events, jobs, codes, and what makes a batch legal. */

export { runnerEventBatchSchema } from './schema.ts';
export * from './without-zod.ts';
