const JOINED_AT_ONCE = 1024;

/** A text assembled from many small pieces. */
export interface TextPieces {
  add(piece: string): void;
  length(): number;
  text(): string;
}

/**
 * Creates an empty text. It takes only the memory of its characters: a string that grows by `+=` is a tree
 * with a node per piece.
 */
export function createTextPieces(): TextPieces {
  const joined: string[] = [];
  let recent: string[] = [];
  let length = 0;
  return {
    add(piece) {
      if (piece === '') return;
      length += piece.length;
      recent.push(piece);
      if (recent.length < JOINED_AT_ONCE) return;
      joined.push(recent.join(''));
      recent = [];
    },
    length: () => length,
    text: () => joined.join('') + recent.join(''),
  };
}
