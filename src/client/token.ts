/** What shows the server who is asking: itself, or what gets a fresh one. */
export type Token = string | (() => string | Promise<string>);

/**
 * The `authorization` to send, `Bearer …`; null without a token. A function is called each time. Throws when the token
 * could not be sent, without its text.
 */
export async function authorizationOf(token: Token | undefined): Promise<string | null> {
  if (token === undefined) return null;
  const text = typeof token === 'function' ? await token() : token;
  // Where fetch refuses a header it repeats its value.
  if (typeof text !== 'string' || !/^[\x21-\x7e]+$/.test(text)) {
    throw new TypeError('a token is a text of printable ASCII characters without spaces');
  }
  return `Bearer ${text}`;
}
