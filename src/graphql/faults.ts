import { randomUUID } from 'node:crypto';
import { GraphQLError } from 'graphql';
import type { FaultCode } from '../contract/errors.ts';
import { EventsRemoved } from '../feed/batches.ts';
import { Overloaded, ShuttingDown } from '../ingest/faults.ts';
import { NativeInboxFull } from '../native/refusals.ts';
import { StoreUnavailable } from '../store/store.ts';

/** UTF-16 units of a message that may repeat what a client sent. */
export const MAX_MESSAGE_LENGTH = 1_000;

/** Hears of what nobody foresaw, with the id under which the client was told of it. */
export type ReportUnexpected = (error: unknown, errorId: string) => void;

/** A fault: a GraphQL error with a code of ours. `status` is for HTTP, where nothing was executed. */
export function fault(code: FaultCode, message: string, status?: number): GraphQLError {
  return new GraphQLError(message, {
    extensions: { code, ...(status && { http: { status } }) },
  });
}

/**
 * What the client may know of an error: its own words and code when it is one of ours or GraphQL's, else an id that
 * is in the log beside the error itself.
 */
export function asFault(error: unknown, otherwise: FaultCode, report: ReportUnexpected): GraphQLError {
  const cause = error instanceof GraphQLError ? rootCause(error) : error;
  const told = describe(cause, otherwise, report);
  if (!(error instanceof GraphQLError)) return told;
  if (told === error) return error;
  return recoded(error, told.message, told.extensions);
}

/** The same error at the same place, with other words or extensions. */
export function recoded(
  error: GraphQLError,
  message: string,
  extensions: GraphQLError['extensions'],
): GraphQLError {
  const { nodes, source, positions, path } = error;
  return new GraphQLError(message, {
    nodes: nodes ?? null,
    source: source ?? null,
    positions: positions ?? null,
    path: path ?? null,
    extensions,
  });
}

/** The fault of a document or operation with more of something than is allowed. `price` is how much it has. */
export function documentTooLarge(what: string, price: number, allowed: number): GraphQLError {
  const most = price >= Number.MAX_SAFE_INTEGER ? 'more than can be counted' : String(price);
  return new GraphQLError(
    `the operation is too large: ${what}: ${most}, allowed: ${allowed}. Ask for less, and pass batches as variables`,
    { extensions: { code: 'DOCUMENT_TOO_LARGE', what, price, allowed, http: { status: 400 } } },
  );
}

/** Throws {@link documentTooLarge} where there is more than is allowed. */
export function assertWithin(what: string, price: number, allowed: number): void {
  if (price > allowed) throw documentTooLarge(what, price, allowed);
}

/** The fault of a server that has too much to do: the same may be sent again. */
export function overloaded(reason: string): GraphQLError {
  return fault('OVERLOADED', `${reason}: send the same again a little later`);
}

/** The fault of an answer that would hold too many bytes. */
export function responseTooLarge(): GraphQLError {
  return fault('RESPONSE_TOO_LARGE', 'the answer would be too large: ask for fewer events or texts');
}

/** A refusal for a transport without statuses: what is for HTTP alone stays out. */
export function withoutStatus(error: GraphQLError): GraphQLError {
  const { http: _status, ...extensions } = error.extensions;
  return recoded(error, error.message, extensions);
}

/** Faults that pass by themselves: the client should come back rather than give up. */
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
  if (cause instanceof ShuttingDown) return fault('SHUTTING_DOWN', cause.message);
  if (cause instanceof StoreUnavailable) {
    return fault('STORE_UNAVAILABLE', 'the store does not answer: send the same again a little later');
  }
  if (cause instanceof EventsRemoved) {
    const extensions = { code: 'events_removed', through: cause.through };
    return new GraphQLError(cause.message, { extensions });
  }
  const errorId = randomUUID();
  report(cause, errorId);
  const code: FaultCode = 'INTERNAL_SERVER_ERROR';
  return new GraphQLError(`Something went wrong here: look for ${errorId} in the server’s log`, {
    extensions: { code, errorId },
  });
}

/** What was thrown in the first place, out of the errors that GraphQL put around it. */
export function rootCause(error: unknown): unknown {
  let cause = error;
  while (cause instanceof GraphQLError && cause.originalError) cause = cause.originalError;
  return cause;
}
