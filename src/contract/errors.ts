import { RUNNER_EVENT_BATCH_VALIDATION_CODES } from './validate.ts';

/**
 * Every code that the API returns. Programs branch on codes; messages are for people and may change. New
 * codes may be added.
 */

/** Failures of a valid request: the `code` of the result types that implement the `Error` interface. */
export const OUTCOME_CODES = [
  ...RUNNER_EVENT_BATCH_VALIDATION_CODES,
  /** The run does not exist in this workspace, or the id is not a valid run id. */
  'unknown_run',
  /** A different event with this number is already stored. */
  'seq_conflict',
  /** The run has ended and accepts no more events. */
  'run_terminated',
  /** `previousSeq` is not the number of the run's last event: earlier events are missing. */
  'seq_gap',
  /** A run with this id already exists with a different provider or runtime. */
  'run_conflict',
  /** Retention has removed events after the cursor. */
  'events_removed',
  /** Another instance has claimed the job, the job is stopping or over, or the sender has not claimed it. */
  'claim_refused',
  /** The run has no job. */
  'unknown_job',
  /** The run already has a job with a different spec. */
  'job_conflict',
  /** The provider runs this agent itself: a native run has no job. */
  'native_run_has_no_job',
  /** The server has no API key for the provider whose stream it should follow. */
  'native_not_configured',
  /** No runner is configured for the provider, or no runner has that name. */
  'runner_runtime_not_implemented',
] as const;

/** One of {@link OUTCOME_CODES}. */
export type OutcomeCode = (typeof OUTCOME_CODES)[number];

/** Requests that failed without an outcome: `extensions.code` of GraphQL errors. */
export const FAULT_CODES = [
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  /** The body is not a single GraphQL request in JSON. */
  'BAD_REQUEST',
  /** A variable or argument is of the wrong type or breaks a documented rule: see `extensions.issues`. */
  'BAD_USER_INPUT',
  /** The document is too long, or its operation too expensive: `extensions.price`, `extensions.allowed`. */
  'DOCUMENT_TOO_LARGE',
  'BODY_TOO_LARGE',
  /** The answer would contain too many bytes of events and strings: request fewer at a time. */
  'RESPONSE_TOO_LARGE',
  'METHOD_NOT_ALLOWED',
  'UNSUPPORTED_MEDIA_TYPE',
  /** A token is required, or the token is invalid or has expired. */
  'UNAUTHENTICATED',
  /** The request comes from another origin or names another host, or the token does not permit it. */
  'FORBIDDEN',
  'NOT_FOUND',
  /** The server is overloaded: send the same request again later. */
  'OVERLOADED',
  /** The store does not respond and nothing was stored: send the same request again later. */
  'STORE_UNAVAILABLE',
  /** The server is shutting down: send the same request to its successor. */
  'SHUTTING_DOWN',
  /** A fault in the server; its log has the details under `extensions.errorId`. */
  'INTERNAL_SERVER_ERROR',
] as const;

/** One of {@link FAULT_CODES}. */
export type FaultCode = (typeof FAULT_CODES)[number];

/**
 * The codes with which the server closes websockets, in addition to the protocol's own 44xx codes. Clients
 * may reconnect after any of them. Over SSE, the same conditions end the response without `event: complete`.
 */
export const CLOSE_CODES = {
  /** The server is restarting: reconnect with jitter. */
  restart: { code: 1012, reason: 'Service restart' },
  /** The server cannot serve now (the store is down, or the server is overloaded): reconnect later. */
  tryAgainLater: { code: 1013, reason: 'Try again later' },
  /** The required token is missing, invalid or expired: reconnect with a valid one. */
  forbidden: { code: 4403, reason: 'Forbidden' },
  /** The server could not write to this socket for 30 s: reconnect from the cursor. */
  slowConsumer: { code: 4413, reason: 'Consumer too slow' },
} as const;

/** The name of one of {@link CLOSE_CODES}. */
export type CloseReason = keyof typeof CLOSE_CODES;
