/** The wire contract's version; every batch names it as `v`. */
export const RUNNER_EVENT_VERSION = 1;

/** The most events that one batch may hold; longer streams are cut up by the runner. */
export const RUNNER_EVENT_BATCH_MAX_EVENTS = 256;

/** What an event can be. Closed for producers; readers should expect the list to grow. */
export const RUNNER_EVENT_KINDS = [
  'runtime_started',
  'assistant_text',
  'tool_request',
  'tool_response',
  'skill_loaded',
  'file_uploaded',
  'notification',
  'stream_error',
  'runtime_terminal',
] as const;

/** One of {@link RUNNER_EVENT_KINDS}. */
export type RunnerEventKind = (typeof RUNNER_EVENT_KINDS)[number];

/** Anything that JSON can carry. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;

/** A JSON object: the shape of an event's `data`. */
export type JsonObject = { readonly [key: string]: JsonValue };

/** One thing that a runtime said or did. `seq` rises strictly within a run, `tMs` (Unix milliseconds) never falls. */
export interface RunnerEvent {
  readonly seq: number;
  readonly tMs: number;
  readonly kind: RunnerEventKind;
  readonly data: JsonObject;
}

/** Up to 256 events of one run, ascending by `seq`, stored all or none. */
export interface RunnerEventBatch {
  readonly v: typeof RUNNER_EVENT_VERSION;
  readonly runId: string;
  readonly events: readonly RunnerEvent[];
}
