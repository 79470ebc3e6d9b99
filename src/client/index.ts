/** `runfeed/client`: sending batches to a runfeed server and following its runs, from Node or a browser. */
export {
  type FollowedEvent,
  FollowFailed,
  type FollowRunOptions,
  followRun,
} from './follow.ts';
export {
  IngestFailed,
  type IngestOptions,
  type IngestResult,
  ingestBatch,
} from './ingest.ts';
