/** The version of the contract; every batch carries it as `v`. */
export const RUNNER_EVENT_VERSION = 1;

/** The maximum number of events in a batch; runners split longer streams. */
export const RUNNER_EVENT_BATCH_MAX_EVENTS = 256;

/** The kinds of events. Producers may send no others; readers should expect the list to grow. */
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

/** Any value that JSON can carry. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;

/** A JSON object: the shape of an event's `data`. */
export type JsonObject = { readonly [key: string]: JsonValue };

/**
 * One thing that a runtime said or did. Within a run, `seq` strictly increases and `tMs` (milliseconds,
 * usually Unix time) never decreases.
 */
export interface RunnerEvent {
  readonly seq: number;
  readonly tMs: number;
  readonly kind: RunnerEventKind;
  readonly data: JsonObject;
}

/** 1 to 256 events of one run, ascending by `seq`, stored as a whole or not at all. */
export interface RunnerEventBatch {
  readonly v: typeof RUNNER_EVENT_VERSION;
  readonly runId: string;
  readonly events: readonly RunnerEvent[];
}
