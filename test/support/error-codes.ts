import { FAULT_CODES, OUTCOME_CODES } from '../../src/contract/errors.ts';
import type { Answer } from './request.ts';

const CODES: ReadonlySet<unknown> = new Set([...OUTCOME_CODES, ...FAULT_CODES]);

/** The codes of errors that a client was told of. Throws when one of them is no well-formed error with a listed code. */
export function codesOf(errors: unknown): string[] {
  if (!Array.isArray(errors) || errors.length === 0) {
    throw new Error(`no list of errors: ${JSON.stringify(errors)}`);
  }
  return errors.map((error: unknown) => {
    const { message, extensions } = error as NonNullable<Answer['errors']>[number];
    if (typeof message !== 'string' || message === '') throw new Error('an error without words');
    const code = extensions?.code;
    if (!CODES.has(code)) throw new Error(`no listed code: ${JSON.stringify(error)}`);
    if ((code === 'INTERNAL_SERVER_ERROR') !== 'errorId' in extensions) {
      throw new Error(`an id belongs to what is unexpected, and only to that: ${JSON.stringify(error)}`);
    }
    if ('http' in extensions || 'originalError' in extensions || 'stack' in extensions) {
      throw new Error(`tells of its inside: ${JSON.stringify(error)}`);
    }
    return String(code);
  });
}
