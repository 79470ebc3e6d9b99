const SHOWN_MAX_CHARS = 40;

/**
 * Names a value for an error message in at most 40 characters. Safe for any value: it calls none of the
 * value's own code.
 */
export function describeValue(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return quote(value);
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value);
    case 'boolean':
    case 'undefined':
      return String(value);
    case 'bigint':
      // Without its digits: the time to print a bigint grows with the square of its length.
      return 'a bigint';
    case 'symbol':
      return 'a symbol';
    case 'function':
      return 'a function';
    case 'object':
      if (value === null) return 'null';
      return isArray(value) ? 'an array' : 'an object';
  }
}

/** One step of a path, from a parent to a member, in JavaScript syntax: `.name`, `[3]` or `["odd name"]`. */
export function describeStep(key: string | number): string {
  if (typeof key === 'number') return `[${key}]`;
  return key.length <= SHOWN_MAX_CHARS && /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${quote(key)}]`;
}

/** Like `Array.isArray`, but returns false for a revoked proxy, on which `Array.isArray` throws. */
export function isArray(value: unknown): value is readonly unknown[] {
  try {
    return Array.isArray(value);
  } catch {
    return false;
  }
}

/** An array's length as a whole number. A proxy can return any length; non-numbers count as 0. */
export function wholeLength(length: unknown): number {
  return typeof length === 'number' && length >= 1 ? Math.floor(length) : 0;
}

function quote(text: string): string {
  const quoted = JSON.stringify(text.slice(0, SHOWN_MAX_CHARS));
  if (text.length <= SHOWN_MAX_CHARS && quoted.length <= SHOWN_MAX_CHARS) return quoted;
  return `${withoutHalves(quoted.slice(0, SHOWN_MAX_CHARS - 2))}…"`;
}

/** Removes the lone surrogates that cutting a string leaves at its ends: they are not valid UTF-8. */
export function withoutHalves(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '');
}
