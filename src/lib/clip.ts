// A slice of a long string keeps all of it in memory, so what is clipped here is copied. A surrogate pair that the cut
// goes through becomes U+FFFD.
function copyOf(text: string): string {
  return Buffer.from(text).toString();
}

/** At most the first `length` UTF-16 units of a text, as a string that holds on to nothing else. */
export function clipEnd(text: string, length: number): string {
  return text.length <= length ? text : copyOf(text.slice(0, length));
}

/** At most the last `length` UTF-16 units of a text, as a string that holds on to nothing else. */
export function clipStart(text: string, length: number): string {
  return text.length <= length ? text : copyOf(text.slice(text.length - length));
}
