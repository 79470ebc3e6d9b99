import type { ExecutionResult } from 'graphql';
import { RESPONSE_MAX_LENGTH } from '../../config/limits.ts';
import {
  asFault,
  type ReportUnexpected,
  responseTooLarge,
  withoutStatus,
} from '../../graphql/errors/faults.ts';
import { jsonLengthLeft } from '../../lib/text/json-length.ts';

/**
 * Returns the result, or a single error in its place if its JSON would be longer than an answer may be. Walks
 * the result instead of writing it and stops at the limit, because writing could fill the heap first.
 */
export function withinLength(result: ExecutionResult): ExecutionResult {
  return jsonLengthLeft(result.data, RESPONSE_MAX_LENGTH) < 0 ? { errors: [responseTooLarge()] } : result;
}

/** Returns the result without the HTTP statuses of its errors, for a message of its own. */
export function withoutStatuses(result: ExecutionResult): ExecutionResult {
  return result.errors ? { ...result, errors: result.errors.map(withoutStatus) } : result;
}

/**
 * Writes a result as JSON. A result that cannot be written becomes an error of its operation. Never throws.
 */
export function writeAnswer(
  result: ExecutionResult,
  report: ReportUnexpected,
): { readonly result: ExecutionResult; readonly text: string } {
  const answered = withinLength(result);
  try {
    return { result: answered, text: JSON.stringify(answered) };
  } catch (error) {
    const refused = { errors: [writeFault(error, report)] };
    return { result: refused, text: JSON.stringify(refused) };
  }
}

/** Returns the fault to report when a result cannot be written as JSON. */
export function writeFault(error: unknown, report: ReportUnexpected) {
  // V8 has no error code for exceeding the longest string.
  const tooLong = error instanceof RangeError && error.message === 'Invalid string length';
  return tooLong ? responseTooLarge() : asFault(error, 'INTERNAL_SERVER_ERROR', report);
}
