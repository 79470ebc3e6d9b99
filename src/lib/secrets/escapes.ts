import { HEX, hexAt } from '../text/digits.ts';
import { withoutUnseen } from './unseen.ts';

const SPACE = 0x20;
const ZERO = 0x30;
const SEVEN = 0x37;
const UPPER_U = 0x55;
const BACKSLASH = 0x5c;
const LOWER_U = 0x75;
const LOWER_X = 0x78;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;
const DELETE = 0x7f;

/** \b \f \n \r \t: controls, also in JSON. */
const JSON_CONTROLS = [0x62, 0x66, 0x6e, 0x72, 0x74];
/** \a \e \v and Bash's \E: controls that JSON escapes otherwise. */
const OTHER_CONTROLS = [0x61, 0x65, 0x76, 0x45];
/** The most digits between braces. */
const MAX_BRACED_DIGITS = 8;
const MAX_CODE_POINT = 0x10ffff;

/**
 * What backslashes begin: escapes of bytes (C, Python's `bytes`, git), escapes of characters (Python's `str`,
 * JavaScript, Rust), or nothing.
 */
export type EscapeDialect = 'bytes' | 'characters' | 'none';

/** A text with escapes of this dialect, which ends at `stop`. */
export interface EscapedText {
  readonly bytes: Uint8Array;
  readonly stop: number;
  readonly dialect: EscapeDialect;
}

/** What follows one or more backslashes. */
export interface Escape {
  /** Where the text continues. */
  readonly end: number;
  /** The bytes that it stands for. Empty for controls, for unseen characters, and if it is no escape. */
  readonly decoded: Uint8Array;
  /** Other dialects in which it may stand for something else. */
  readonly otherwise: readonly EscapeDialect[];
}

const NO_BYTES = new Uint8Array();
const NO_DIALECTS: readonly EscapeDialect[] = [];
const SINGLE_BYTES = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte));

/** Resolves the escape that backslashes before `at` begin. */
export function escapeAt(text: EscapedText, at: number): Escape {
  const { bytes, stop, dialect } = text;
  if (dialect === 'none' || at === stop) return nothingUntil(at);
  const kind = bytes[at]!;
  if (JSON_CONTROLS.includes(kind)) return nothingUntil(at + 1);
  if (kind === LOWER_U || kind === LOWER_X || kind === UPPER_U) return hexEscape(text, kind, at);
  if (isOctalAt(text, at)) return octalEscape(text, at);
  if (!OTHER_CONTROLS.includes(kind)) return nothingUntil(at);
  return { end: at + 1, decoded: NO_BYTES, otherwise: ['none'] };
}

/** Skips any number of backslashes. Each time that a text is escaped once more, their number doubles. */
export function afterBackslashes({ bytes, stop }: EscapedText, from: number): number {
  let next = from;
  while (next < stop && bytes[next] === BACKSLASH) next += 1;
  return next;
}

function nothingUntil(end: number): Escape {
  return { end, decoded: NO_BYTES, otherwise: NO_DIALECTS };
}

/** Resolves \x…, \u… and \U…, of which `at` is the letter. */
function hexEscape(text: EscapedText, kind: number, at: number): Escape {
  const digits = kind === LOWER_U ? 4 : kind === LOWER_X ? 2 : 8;
  const code = hexAt(text.bytes, at + 1, digits, text.stop);
  if (code < 0 || code > MAX_CODE_POINT) return kind === UPPER_U ? nothingUntil(at) : bracedEscape(text, at);
  const end = at + 1 + digits;
  if (kind === LOWER_X) return byteEscape(text, code, end, NO_DIALECTS);
  return characterEscape(text, code, end, kind === UPPER_U ? ['none'] : NO_DIALECTS);
}

/** Resolves \u{…} and \x{…}. */
function bracedEscape(text: EscapedText, at: number): Escape {
  const { bytes, stop } = text;
  if (at + 1 >= stop || bytes[at + 1] !== OPENING_BRACE) return nothingUntil(at);
  const first = at + 2;
  let end = first;
  while (end < stop && end < first + MAX_BRACED_DIGITS && HEX[bytes[end]!]! >= 0) end += 1;
  const isClosed = end > first && end < stop && bytes[end] === CLOSING_BRACE;
  const code = isClosed ? hexAt(bytes, first, end - first, stop) : -1;
  if (code < 0 || code > MAX_CODE_POINT) return nothingUntil(at);
  return characterEscape(text, code, end + 1, ['none']);
}

function octalEscape(text: EscapedText, at: number): Escape {
  const { bytes, dialect } = text;
  const isZero = bytes[at] === ZERO;
  // Rust writes \0 before a digit, too.
  const most = dialect === 'characters' && isZero ? 1 : 3;
  let code = 0;
  let end = at;
  while (end < at + most && code < 0o40 && isOctalAt(text, end)) {
    code = code * 8 + bytes[end]! - ZERO;
    end += 1;
  }
  return byteEscape(text, code, end, isZero && end > at + 1 ? ['none', 'characters'] : ['none']);
}

function isOctalAt({ bytes, stop }: EscapedText, at: number): boolean {
  return at < stop && bytes[at]! >= ZERO && bytes[at]! <= SEVEN;
}

/** Returns the escape of a number that dialects read as a byte or as a character, which differ beyond ASCII. */
function byteEscape(
  text: EscapedText,
  code: number,
  end: number,
  otherwise: readonly EscapeDialect[],
): Escape {
  if (code < 0x80 || text.dialect === 'characters') return characterEscape(text, code, end, otherwise);
  return { end, decoded: SINGLE_BYTES[code]!, otherwise: [...otherwise, 'characters'] };
}

function characterEscape(
  text: EscapedText,
  code: number,
  to: number,
  otherwise: readonly EscapeDialect[],
): Escape {
  if (code <= SPACE || code === DELETE) return { end: to, decoded: NO_BYTES, otherwise };
  if (code < 0x80) return { end: to, decoded: SINGLE_BYTES[code]!, otherwise };
  const low = code >= 0xd800 && code < 0xdc00 ? lowSurrogateAt(text, to) : null;
  const character = low ? String.fromCharCode(code, low.code) : String.fromCodePoint(code);
  const decoded = withoutUnseen(character) === '' ? NO_BYTES : Buffer.from(character);
  return { end: low?.end ?? to, decoded, otherwise };
}

/** Returns the escape of the second half of a character, if there is one. */
function lowSurrogateAt(text: EscapedText, from: number): { code: number; end: number } | null {
  const { bytes, stop } = text;
  const at = afterBackslashes(text, from);
  if (at === from || at === stop || bytes[at] !== LOWER_U) return null;
  const code = hexAt(bytes, at + 1, 4, stop);
  return code >= 0xdc00 && code < 0xe000 ? { code, end: at + 5 } : null;
}
