/** `runfeed/client`: follows the runs of a runfeed server and sends events to it, from Node or a browser. */

export { ReportFailed } from './report/failed.ts';
export {
  createReporter,
  type ReportedEvent,
  type Reporter,
  type ReporterClosed,
  type ReporterOptions,
} from './report/reporter.ts';
export type { SeqRange, Spool, SpooledEvent } from './report/spool.ts';
export { createMemorySpool } from './report/spool.ts';
export type { FetchLike } from './request/answer.ts';
export {
  CLAIM_REFUSED_EXIT_CODE,
  type ClaimOptions,
  ClaimRefused,
  claimJob,
  type JobClaim,
} from './request/claim.ts';
export { type IngestOptions, type IngestResult, ingestBatch } from './request/ingest.ts';
export { IngestFailed } from './request/post.ts';
export type { Token } from './request/token.ts';
export { type RunEventStream, type StreamOptions, type StreamState, streamEvents } from './stream/events.ts';
export { StreamCut, type StreamedEvent, type StreamGap, StreamRefused } from './stream/feed.ts';
export { type RunStep, streamRun } from './stream/run.ts';
export type { StreamTransport } from './stream/transport-choice.ts';
export { createRunView, type RunView, type RunViewOptions, type ToolCall } from './stream/view.ts';
