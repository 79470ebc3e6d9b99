import { RUNNER_EVENT_BATCH_VALIDATION_CODES } from './validate.ts';

/**
 * Every code that the API answers with, in one place. Programs branch on codes; messages are for people and may
 * change. New codes may be added.
 */

/** Outcomes of a request that was understood: `code` of the result types that share the `Error` interface. */
export const OUTCOME_CODES = [
  ...RUNNER_EVENT_BATCH_VALIDATION_CODES,
  /** No such run in this workspace, or no id that a run could have. */
  'unknown_run',
  /** An event with this number is stored already, with other content. */
  'seq_conflict',
  /** The run has ended: its log takes nothing more. */
  'run_terminated',
  /** `previousSeq` is not followed by the run's last number: something sent before is missing. */
  'seq_gap',
  /** A run of this id is there, with another provider or runtime. */
  'run_conflict',
  /** The cursor lies before what retention has removed. */
  'events_removed',
  /** The run's job is claimed by another instance, is to stop, or is over; or these events are not its claimer's. */
  'claim_refused',
  /** There is no job of this run. */
  'unknown_job',
  /** The run has a job already, of another spec. */
  'job_conflict',
  /** The provider runs this agent itself: there is nothing for a job of ours to do. */
  'native_run_has_no_job',
  /** The server has no key with which it could follow a stream of the provider's. */
  'native_not_configured',
  /** No runner is configured for the provider, or none of that name. */
  'runner_runtime_not_implemented',
] as const;

/** One of {@link OUTCOME_CODES}. */
export type OutcomeCode = (typeof OUTCOME_CODES)[number];

/** Requests that failed before or beside their outcome: `extensions.code` of GraphQL errors. */
export const FAULT_CODES = [
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  /** The body is not one GraphQL request in JSON. */
  'BAD_REQUEST',
  /** A variable or argument has the wrong type or breaks a documented rule; `extensions.issues` says where. */
  'BAD_USER_INPUT',
  /** The document is too long, or an operation costs too much: `extensions.price` is more than `extensions.allowed`. */
  'DOCUMENT_TOO_LARGE',
  'BODY_TOO_LARGE',
  /** The answer would hold too many bytes of events and texts: ask for fewer at a time. */
  'RESPONSE_TOO_LARGE',
  'METHOD_NOT_ALLOWED',
  'UNSUPPORTED_MEDIA_TYPE',
  /** A token is needed, or the one that was sent is not valid here, or not any more. */
  'UNAUTHENTICATED',
  /** The request comes from a page of another site, by another name; or the token is not good for what is asked. */
  'FORBIDDEN',
  'NOT_FOUND',
  /** Too much is waiting already: send the same again a little later. */
  'OVERLOADED',
  /** The store does not answer: nothing was stored; send the same again a little later. */
  'STORE_UNAVAILABLE',
  /** The server is stopping: send the same to its successor. */
  'SHUTTING_DOWN',
  /** A fault of ours; `extensions.errorId` is in the server's log. */
  'INTERNAL_SERVER_ERROR',
] as const;

/** One of {@link FAULT_CODES}. */
export type FaultCode = (typeof FAULT_CODES)[number];

/**
 * How the server closes websockets beside the protocol's own 44xx codes. All of these may be reconnected after;
 * the same trouble over SSE cuts the response without `event: complete`.
 */
export const CLOSE_CODES = {
  /** The server is going away for a moment: reconnect with jitter. */
  restart: { code: 1012, reason: 'Service restart' },
  /** The server cannot serve now (the store is down, or too much waits): reconnect later. */
  tryAgainLater: { code: 1013, reason: 'Try again later' },
  /** No token was sent where one is needed, or it is not valid here, or not any more: connect with another one. */
  forbidden: { code: 4403, reason: 'Forbidden' },
  /** Nothing could be written to this socket for 30 s: reconnect from the cursor. */
  slowConsumer: { code: 4413, reason: 'Consumer too slow' },
} as const;

/** The name of one of {@link CLOSE_CODES}. */
export type CloseReason = keyof typeof CLOSE_CODES;
