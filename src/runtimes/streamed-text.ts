import { createHash } from 'node:crypto';

/** A streamed text that the wire may repeat complete. Keeps only its length and a digest. */
export interface StreamedText {
  add(piece: string): void;
  /** Returns the text after the pieces; null if they are not its beginning. Call after the last piece. */
  restOf(whole: string): string | null;
}

/** Creates a text without pieces. */
export function createStreamedText(): StreamedText {
  const hash = createHash('sha256');
  let length = 0;
  return {
    add(piece) {
      // UTF-16, because a piece may end in the middle of a surrogate pair, which UTF-8 cannot encode.
      hash.update(piece, 'utf16le');
      length += piece.length;
    },
    restOf(whole) {
      if (whole.length < length) return null;
      const beginning = createHash('sha256').update(whole.slice(0, length), 'utf16le').digest();
      return hash.copy().digest().equals(beginning) ? whole.slice(length) : null;
    },
  };
}
