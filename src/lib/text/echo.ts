import { clipEnd } from './clip.ts';
import { printable } from './printable.ts';

/** The most UTF-16 units of a foreign value, such as a path, in a message. */
const MAX_VALUE = 200;

/** The most UTF-16 units of a message. */
const MAX_LINE = 1_000;

/** A URL's scheme. Functions for paths turn its `//` into `/`. */
const SCHEME = /[a-z0-9+.-]{2}:\/+/i;

/**
 * Prepares a value for a message to people: printable, clipped, and without the user and password of a URL,
 * also of one that is mistaken for a path.
 */
export function echoed(value: string): string {
  const text = withoutCredentials(value);
  const start = printable(clipEnd(text, MAX_VALUE));
  return text.length > MAX_VALUE || start.length > MAX_VALUE ? `${clipEnd(start, MAX_VALUE)}…` : start;
}

/**
 * Prepares a whole message, in which values have been echoed or not: {@link echoed} applies to each part
 * without spaces, whitespace becomes single spaces, and the end of a long message is cut.
 */
export function echoedLine(message: string): string {
  const line = message.trim().split(/\s+/).map(echoed).join(' ');
  return line.length > MAX_LINE ? `${clipEnd(line, MAX_LINE)}…` : line;
}

/** A password may contain unescaped slashes and `@`, so everything up to the last `@` counts as one. */
function withoutCredentials(text: string): string {
  const scheme = SCHEME.exec(text);
  if (!scheme) return text;
  const host = scheme.index + scheme[0].length;
  const end = text.lastIndexOf('@');
  return end < host ? text : text.slice(0, host) + text.slice(end + 1);
}
