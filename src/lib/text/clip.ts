// A slice of a long string keeps the whole string in memory, so clipped text is copied. A surrogate pair that
// is cut in half becomes U+FFFD.
function copyOf(text: string): string {
  return Buffer.from(text).toString();
}

/**
 * Returns at most the first `length` UTF-16 units of a text, as a string that keeps no other memory alive.
 */
export function clipEnd(text: string, length: number): string {
  return text.length <= length ? text : copyOf(text.slice(0, length));
}

/** Returns at most the last `length` UTF-16 units of a text, as a string that keeps no other memory alive. */
export function clipStart(text: string, length: number): string {
  return text.length <= length ? text : copyOf(text.slice(text.length - length));
}

/** The end of a text that arrives in pieces. */
export interface TextTail {
  add(piece: string): void;
  /** Returns at most the last `length` UTF-16 units of all pieces together. */
  text(): string;
}

/** Creates a tail that keeps `length` UTF-16 units, and up to a few times as many between two pieces. */
export function createTextTail(length: number): TextTail {
  let kept = '';
  return {
    add(piece) {
      kept += clipStart(piece, length);
      // Copying only now and then is ten times as fast for small pieces as copying for each.
      if (kept.length > 4 * length) kept = clipStart(kept, length);
    },
    text: () => clipStart(kept, length),
  };
}
