/** `runfeed/client`: follows the runs of a runfeed server and sends events to it, from Node or a browser. */

export type { FetchLike } from './answer.ts';
export {
  CLAIM_REFUSED_EXIT_CODE,
  type ClaimOptions,
  ClaimRefused,
  claimJob,
  type JobClaim,
} from './claim.ts';
export { StreamCut, type StreamedEvent, type StreamGap, StreamRefused } from './feed.ts';
export { type IngestOptions, type IngestResult, ingestBatch } from './ingest.ts';
export { IngestFailed } from './post.ts';
export { ReportFailed } from './report-failed.ts';
export {
  createReporter,
  type ReportedEvent,
  type Reporter,
  type ReporterClosed,
  type ReporterOptions,
} from './reporter.ts';
export { createRunView, type RunView, type RunViewOptions, type ToolCall } from './run-view.ts';
export type { SeqRange, Spool, SpooledEvent } from './spool.ts';
export { createMemorySpool } from './spool.ts';
export { type RunEventStream, type StreamOptions, type StreamState, streamEvents } from './stream-events.ts';
export { type RunStep, streamRun } from './stream-run.ts';
export type { Token } from './token.ts';
export type { StreamTransport } from './transport-choice.ts';
