import { attempt } from '../../lib/attempt.ts';

/** The code of a missing, invalid or expired token. */
export const UNAUTHENTICATED = 'UNAUTHENTICATED';

/** Codes of temporary faults. An answer without a code comes from a proxy and may be temporary too. */
const PASSING: readonly (string | null)[] = [
  null,
  'OVERLOADED',
  'STORE_UNAVAILABLE',
  'SHUTTING_DOWN',
  'INTERNAL_SERVER_ERROR',
];

/** Returns true if the same request may succeed a little later. */
export function isPassing(code: string | null): boolean {
  return PASSING.includes(code);
}

/** Statuses that pass. 500 and above pass, too. */
const PASSING_STATUSES: readonly number[] = [408, 425, 429];

/** The status of a request that is too large. */
export const TOO_LARGE = 413;
/** Statuses that mean the same from the server and from a gateway in front of it, which may send other codes. */
const STATUS_CODES: Readonly<Record<number, string>> = {
  401: UNAUTHENTICATED,
  [TOO_LARGE]: 'BODY_TOO_LARGE',
};

/**
 * Returns what an answer's error means, given its status and its code, if any. Null if it passes: a gateway has codes
 * of its own, and no fault of the server that stays has a passing status.
 */
export function codeFor(status: number, code: string | null): string | null {
  const meaning = STATUS_CODES[status];
  if (meaning !== undefined) return meaning;
  const mayPass = status >= 500 || PASSING_STATUSES.includes(status);
  return mayPass && !isPassing(code) ? null : code;
}

/** An error of a GraphQL answer. */
export interface ToldError {
  readonly message: string;
  /** Null if the error has no code, so it is not from a runfeed server. */
  readonly code: string | null;
}

/** Returns the first error of an answer of any shape. Null if there is none. */
export function firstError(answer: unknown): ToldError | null {
  const [first] = listOf(fieldOf(answer, 'errors'));
  if (first === undefined) return null;
  const message = fieldOf(first, 'message');
  const code = fieldOf(fieldOf(first, 'extensions'), 'code');
  return {
    message: typeof message === 'string' ? message : 'an error without a message',
    code: typeof code === 'string' ? code : null,
  };
}

/** Returns a field of a value. Undefined if the value is not an object or lacks the field. */
export function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

/** Parses a JSON text. Null if it is not JSON. */
export function parsed(text: string): unknown {
  return attempt((): unknown => JSON.parse(text));
}

/** Returns true if a value is an object whose fields have these types. */
export function hasFields(value: unknown, types: Readonly<Record<string, 'string' | 'number'>>): boolean {
  return Object.entries(types).every(([name, type]) => typeof fieldOf(value, name) === type);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
