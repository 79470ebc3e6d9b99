const JOINED_AT_ONCE = 1024;

/** A text that is put together from many small pieces. */
export interface TextPieces {
  add(piece: string): void;
  length(): number;
  text(): string;
}

/** An empty text. Costs what its characters cost: a string that grows by `+=` is a tree with a node for every piece. */
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
