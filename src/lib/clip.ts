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

/** The end of a text that comes in pieces. */
export interface TextTail {
  add(piece: string): void;
  /** At most the last `length` UTF-16 units of all pieces together. */
  text(): string;
}

/** A tail that keeps `length` UTF-16 units, and between two pieces up to a few times as many. */
export function createTextTail(length: number): TextTail {
  let kept = '';
  return {
    add(piece) {
      kept += clipStart(piece, length);
      // Copying only now and then makes small pieces ten times as fast as copying for each.
      if (kept.length > 4 * length) kept = clipStart(kept, length);
    },
    text: () => clipStart(kept, length),
  };
}
