import { FAULT_CODES, OUTCOME_CODES } from '../../src/contract/errors.ts';
import type { Answer } from './request.ts';

const CODES: ReadonlySet<unknown> = new Set([...OUTCOME_CODES, ...FAULT_CODES]);

/**
 * Returns the codes of errors that a client received. Throws if one of them is malformed or has no listed
 * code.
 */
export function codesOf(errors: unknown): string[] {
  if (!Array.isArray(errors) || errors.length === 0) {
    throw new Error(`not a list of errors: ${JSON.stringify(errors)}`);
  }
  return errors.map((error: unknown) => {
    const { message, extensions } = error as NonNullable<Answer['errors']>[number];
    if (typeof message !== 'string' || message === '') throw new Error('an error has no message');
    const code = extensions?.code;
    if (!CODES.has(code)) throw new Error(`the code is not listed: ${JSON.stringify(error)}`);
    if ((code === 'INTERNAL_SERVER_ERROR') !== 'errorId' in extensions) {
      throw new Error(`unexpected errors, and only they, must have an errorId: ${JSON.stringify(error)}`);
    }
    if ('http' in extensions || 'originalError' in extensions || 'stack' in extensions) {
      throw new Error(`the error reveals internals: ${JSON.stringify(error)}`);
    }
    return String(code);
  });
}
