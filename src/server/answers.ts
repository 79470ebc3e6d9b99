import type { ExecutionResult } from 'graphql';
import { RESPONSE_MAX_LENGTH } from '../config/limits.ts';
import { asFault, type ReportUnexpected, responseTooLarge } from '../graphql/faults.ts';

/**
 * The same result, or one error in its place when its JSON would be longer than an answer may be. Walks the result
 * instead of writing it, and stops at the limit: writing could fill the heap first.
 */
export function withinLength(result: ExecutionResult): ExecutionResult {
  return lengthLeft(result.data, RESPONSE_MAX_LENGTH) < 0 ? { errors: [responseTooLarge()] } : result;
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

/** What is left of `left` characters after the value is written; at least as much as its JSON really leaves. */
function lengthLeft(value: unknown, left: number): number {
  if (typeof value === 'string') return left - value.length - 2;
  if (typeof value !== 'object' || value === null) return left - 1;
  let rest = left - 2;
  if (Array.isArray(value)) {
    for (const item of value) {
      rest = lengthLeft(item, rest - 1);
      if (rest < 0) return rest;
    }
    return rest;
  }
  for (const [key, member] of Object.entries(value)) {
    rest = lengthLeft(member, rest - key.length - 4);
    if (rest < 0) return rest;
  }
  return rest;
}
