/** What a server says when it does not know who is asking. */
export const UNAUTHENTICATED = 'UNAUTHENTICATED';

/** Codes of faults that pass by themselves. An answer without a code comes from something in between: it may pass, too. */
const PASSING: readonly (string | null)[] = [
  null,
  'OVERLOADED',
  'STORE_UNAVAILABLE',
  'SHUTTING_DOWN',
  'INTERNAL_SERVER_ERROR',
];

/** Whether the same may be asked again a little later. */
export function isPassing(code: string | null): boolean {
  return PASSING.includes(code);
}

/** The first error of an answer, as far as it is one. */
export interface ToldError {
  readonly message: string;
  /** Null when it has none, hence is none of a runfeed server's. */
  readonly code: string | null;
}

/** The first of a GraphQL answer's errors, whatever the answer is; null: it has none. */
export function firstError(answer: unknown): ToldError | null {
  const [first] = listOf(fieldOf(answer, 'errors'));
  if (first === undefined) return null;
  const message = fieldOf(first, 'message');
  const code = fieldOf(fieldOf(first, 'extensions'), 'code');
  return {
    message: typeof message === 'string' ? message : 'an error without words',
    code: typeof code === 'string' ? code : null,
  };
}

/** A field of what may be an object; undefined when it is none or has no such field. */
export function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
