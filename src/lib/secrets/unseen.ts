const PLUS = 0x2b;
const BACKSLASH = 0x5c;
const DELETE = 0x7f;

/**
 * The characters beyond ASCII that show nothing, only space, or U+FFFD in place of what is no character: C1
 * controls, spaces, soft hyphens, zero-width characters, line separators and direction controls.
 */
const UNSEEN_CHARACTERS = /[\u0080-\u00a0\u00ad\u2000-\u200f\u2028-\u202f\u205f-\u206f\ufeff\ufffd]/g;

/** In place of a row in {@link UNSEEN}: an unseen character ends here, and its bytes are dropped. */
export const DROPPED = 255;

/** By row of {@link UNSEEN}: the bytes read so far, which begin an unseen character. */
export const HELD = [
  [],
  [0xc2],
  [0xe2],
  [0xe2, 0x80],
  [0xe2, 0x81],
  [0xef],
  [0xef, 0xbb],
  [0xef, 0xbf],
] as const;

/**
 * The same characters in UTF-8, and the insignificant ones of ASCII, as an automaton. `UNSEEN[row * 256 + byte]`
 * is the next row, {@link DROPPED} at the end of such a character, or 0 if there is none.
 */
export const UNSEEN = unseenRows();

/** Returns true if these bytes are one unseen character. */
export function isUnseen(bytes: Uint8Array, from: number, length: number): boolean {
  let row = 0;
  for (let place = from; place < from + length; place += 1) {
    row = UNSEEN[row * 256 + bytes[place]!]!;
    if (row === 0 || row === DROPPED) break;
  }
  return row === DROPPED;
}

/** Returns the text without the unseen characters beyond ASCII. */
export function withoutUnseen(text: string): string {
  return text.replace(UNSEEN_CHARACTERS, '');
}

/**
 * Returns the bytes of a text that searches compare: without those that writing it down may add, drop or
 * change.
 */
export function significant(text: string): Uint8Array {
  // Buffers turn lone surrogates into U+FFFD, which is unseen.
  const seen = withoutUnseen(Buffer.from(text).toString());
  return Buffer.from(seen).filter((byte) => UNSEEN[byte] !== DROPPED);
}

function unseenRows(): Uint8Array {
  const rows = new Uint8Array(HELD.length * 256);
  const set = (row: number, first: number, last: number, next: number) =>
    rows.fill(next, row * 256 + first, row * 256 + last + 1);
  set(0, 0x00, 0x20, DROPPED);
  for (const byte of [BACKSLASH, PLUS, DELETE]) set(0, byte, byte, DROPPED);
  set(0, 0xc2, 0xc2, 1);
  set(0, 0xe2, 0xe2, 2);
  set(0, 0xef, 0xef, 5);
  set(1, 0x80, 0xa0, DROPPED);
  set(1, 0xad, 0xad, DROPPED);
  set(2, 0x80, 0x80, 3);
  set(2, 0x81, 0x81, 4);
  set(3, 0x80, 0x8f, DROPPED);
  set(3, 0xa8, 0xaf, DROPPED);
  set(4, 0x9f, 0xaf, DROPPED);
  set(5, 0xbb, 0xbb, 6);
  set(5, 0xbf, 0xbf, 7);
  set(6, 0xbf, 0xbf, DROPPED);
  set(7, 0xbd, 0xbd, DROPPED);
  return rows;
}
