import type { ExecutionResult } from 'graphql';
import { RESPONSE_MAX_LENGTH } from '../config/limits.ts';
import { asFault, type ReportUnexpected, responseTooLarge } from '../graphql/faults.ts';
import { jsonLengthLeft } from '../lib/json-length.ts';

/**
 * The same result, or one error in its place when its JSON would be longer than an answer may be. Walks the result
 * instead of writing it, and stops at the limit: writing could fill the heap first.
 */
export function withinLength(result: ExecutionResult): ExecutionResult {
  return jsonLengthLeft(result.data, RESPONSE_MAX_LENGTH) < 0 ? { errors: [responseTooLarge()] } : result;
}

/** A result as JSON. One that cannot be written becomes an error of that operation; never throws. */
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

/** The fault of something that could not be written as JSON. */
export function writeFault(error: unknown, report: ReportUnexpected) {
  // V8 has no code for text beyond the longest string.
  const tooLong = error instanceof RangeError && error.message === 'Invalid string length';
  return tooLong ? responseTooLarge() : asFault(error, 'INTERNAL_SERVER_ERROR', report);
}
