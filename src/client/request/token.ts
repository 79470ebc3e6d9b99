/** An access token, or a function that gets a fresh one. */
export type Token = string | (() => string | Promise<string>);

/**
 * Returns the `authorization` header, `Bearer …`, or null without a token. Calls a function each time. Throws
 * a TypeError that does not contain the token if the token is not valid in a header.
 */
export async function authorizationOf(token: Token | undefined): Promise<string | null> {
  if (token === undefined) return null;
  const text = typeof token === 'function' ? await token() : token;
  // fetch refuses such a header with an error that repeats its value.
  if (typeof text !== 'string' || !/^[\x21-\x7e]+$/.test(text)) {
    throw new TypeError('a token must be a string of printable ASCII characters without spaces');
  }
  return `Bearer ${text}`;
}
