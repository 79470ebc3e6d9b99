import { BASE64 } from '../text/digits.ts';

/** The range of a JSON Web Token in a text. `to` is excluded. */
export interface WebTokenRange {
  readonly from: number;
  readonly to: number;
}

const SEGMENT = /[\w-]+/y;
const REST = /\.[\w-]+\.[\w-]*/y;
const INSIDE_WORD = /\w/;

/** The most bytes of a token's header and payload together, and the length of an HS256 signature. */
const MAX_TOKEN_BYTES = 4_096;
const SIGNATURE_BYTES = 43;
const DOT = 0x2e;

/**
 * Finds the JSON Web Tokens in a text that start with these characters at the beginning of a word. Takes
 * linear time: a regular expression would scan the rest of a long word again from each `beginning` in it.
 */
export function webTokensIn(text: string, beginning: string): readonly WebTokenRange[] {
  const ranges: WebTokenRange[] = [];
  let from = text.indexOf(beginning);
  while (from !== -1) {
    let next = from + beginning.length;
    if (from === 0 || !INSIDE_WORD.test(text[from - 1]!)) {
      SEGMENT.lastIndex = from;
      SEGMENT.test(text);
      next = SEGMENT.lastIndex;
      REST.lastIndex = next;
      if (REST.test(text)) {
        next = REST.lastIndex;
        ranges.push({ from, to: next });
      }
    }
    from = text.indexOf(beginning, next);
  }
  return ranges;
}

/** How much of a token has been read byte by byte. */
export interface TokenProgress {
  dots: number;
  /** The most bytes that may follow before the next part. */
  left: number;
}

/** Returns the progress after the beginning of a token. */
export function beginToken(): TokenProgress {
  return { dots: 0, left: MAX_TOKEN_BYTES };
}

/** Reads the next byte. Returns false if the token has ended before it. */
export function continuesToken(token: TokenProgress, byte: number): boolean {
  const isDot = byte === DOT;
  const goesOn = isDot ? token.dots < 2 : BASE64[byte]! >= 0;
  if (!goesOn || token.left === 0) return false;
  token.left -= 1;
  if (isDot) token.dots += 1;
  if (isDot && token.dots === 2) token.left = SIGNATURE_BYTES;
  return true;
}
