import { createHash } from 'node:crypto';

/** A text that was told in pieces and that the wire may repeat as a whole. Keeps its length and digest, not the text. */
export interface StreamedText {
  add(piece: string): void;
  /** What the whole has beyond the pieces; null if it does not begin with them. To be asked when no piece follows. */
  restOf(whole: string): string | null;
}

/** A text of which no piece has come yet. */
export function createStreamedText(): StreamedText {
  const hash = createHash('sha256');
  let length = 0;
  return {
    add(piece) {
      // UTF-16, since a piece may end in the middle of a surrogate pair, which UTF-8 cannot write.
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
