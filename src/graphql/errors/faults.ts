import { randomUUID } from 'node:crypto';
import { GraphQLError } from 'graphql';
import type { FaultCode } from '../../contract/errors.ts';
import { EventsRemoved } from '../../feed/batches.ts';
import { Overloaded, ShuttingDown } from '../../ingest/faults.ts';
import { clipEnd } from '../../lib/text/clip.ts';
import { NativeInboxFull } from '../../native/refusals.ts';
import { RunnerTooLate } from '../../runs/append.ts';
import { StoreContended, StoreUnavailable } from '../../store/unavailable.ts';

/** The maximum length of a message that may repeat client input, in UTF-16 units. */
const MAX_MESSAGE_LENGTH = 1_000;

/** Receives each unexpected error, with the id that the client received. */
export type ReportUnexpected = (error: unknown, errorId: string) => void;

/** Creates a GraphQL error with a code. `status` is the HTTP status if nothing was executed. */
export function fault(code: FaultCode, message: string, status?: number): GraphQLError {
  return new GraphQLError(message, {
    extensions: { code, ...(status && { http: { status } }) },
  });
}

/**
 * Returns the form of an error that a client may see: its own message and code if it is a known error or
 * GraphQL's, otherwise an id that the log records together with the error.
 */
export function asFault(error: unknown, otherwise: FaultCode, report: ReportUnexpected): GraphQLError {
  const cause = error instanceof GraphQLError ? rootCause(error) : error;
  const told = describe(cause, otherwise, report);
  if (!(error instanceof GraphQLError)) return told;
  if (told === error) return error;
  return recoded(error, told.message, told.extensions);
}

/** The most places in a document that an error names. Validation names each of a thousand equal arguments. */
const MAX_LOCATIONS = 10;

/**
 * Returns the same error at the same place, with another message and other extensions. A long message, which
 * repeats what the client sent, is clipped.
 */
export function recoded(
  error: GraphQLError,
  message: string,
  extensions: GraphQLError['extensions'],
): GraphQLError {
  const { nodes, source, positions, locations, path } = error;
  const copy = new GraphQLError(clipEnd(message, MAX_MESSAGE_LENGTH), { path: path ?? null, extensions });
  // The constructor would search the document for the line of each node again.
  return Object.assign(copy, {
    nodes,
    source,
    positions: positions?.slice(0, MAX_LOCATIONS),
    locations: locations?.slice(0, MAX_LOCATIONS),
  });
}

/** Creates the fault of an exceeded limit. `what` names the limit, `price` is the value. */
export function documentTooLarge(what: string, price: number, allowed: number): GraphQLError {
  const most = price >= Number.MAX_SAFE_INTEGER ? 'too many to count' : String(price);
  return new GraphQLError(
    `the operation is too large (${what}: ${most}, limit: ${allowed}): ` +
      'request less, and pass batches as variables',
    { extensions: { code: 'DOCUMENT_TOO_LARGE', what, price, allowed, http: { status: 400 } } },
  );
}

/** Throws {@link documentTooLarge} if `price` exceeds `allowed`. */
export function assertWithin(what: string, price: number, allowed: number): void {
  if (price > allowed) throw documentTooLarge(what, price, allowed);
}

/** Creates the fault of a server that is too busy: the client may send the same request again. */
export function overloaded(reason: string): GraphQLError {
  return fault('OVERLOADED', `${reason}: send the same request again later`);
}

/** Creates the fault of an answer that would contain too many bytes. */
export function responseTooLarge(): GraphQLError {
  return fault('RESPONSE_TOO_LARGE', 'the answer would be too large: request fewer events or fields');
}

/** Removes the HTTP status from a fault, for transports without statuses. */
export function withoutStatus(error: GraphQLError): GraphQLError {
  const { http: _status, ...extensions } = error.extensions;
  return recoded(error, error.message, extensions);
}

/** Returns true for a temporary fault, after which the client should retry. */
export function isPassing(error: unknown): boolean {
  return error instanceof StoreUnavailable || error instanceof ShuttingDown || error instanceof Overloaded;
}

function describe(cause: unknown, otherwise: FaultCode, report: ReportUnexpected): GraphQLError {
  if (cause instanceof GraphQLError) {
    if (cause.extensions.code !== undefined) return cause;
    return recoded(cause, cause.message, {
      ...cause.extensions,
      code: otherwise,
    });
  }
  if (cause instanceof Overloaded || cause instanceof NativeInboxFull)
    return fault('OVERLOADED', cause.message);
  if (cause instanceof RunnerTooLate) return fault('UNAUTHENTICATED', cause.message);
  if (cause instanceof ShuttingDown) return fault('SHUTTING_DOWN', cause.message);
  if (cause instanceof StoreContended) return overloaded(cause.message);
  if (cause instanceof StoreUnavailable) {
    return fault('STORE_UNAVAILABLE', 'the store does not respond: send the same request again later');
  }
  if (cause instanceof EventsRemoved) {
    const extensions = { code: 'events_removed', through: cause.through };
    return new GraphQLError(cause.message, { extensions });
  }
  const errorId = randomUUID();
  report(cause, errorId);
  const code: FaultCode = 'INTERNAL_SERVER_ERROR';
  return new GraphQLError(`internal error: look for ${errorId} in the server’s log`, {
    extensions: { code, errorId },
  });
}

/** Returns the original error, without the errors in which GraphQL wrapped it. */
export function rootCause(error: unknown): unknown {
  let cause = error;
  while (cause instanceof GraphQLError && cause.originalError) cause = cause.originalError;
  return cause;
}
