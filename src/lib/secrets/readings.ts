import type { Matcher } from './matcher.ts';
import {
  type ColumnReading,
  type ControlReading,
  characterLength,
  controlAt,
  OVERSTRUCK,
  overstruck,
  SHOWN,
  skipSequence,
} from './terminal-text.ts';

/** A range of bytes. `to` is excluded. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** A search that can run in pieces. */
export interface Search {
  /** Continues the search by this many bytes or a few more. Returns false once it is complete. */
  goOn(count: number): boolean;
  /**
   * Completes the search. Returns the matches, ordered and not touching one another. `openEnd` includes what
   * may be the beginning of a match.
   */
  ranges(openEnd: boolean): readonly Range[];
}

/** One way to decode the bytes. The decoded bytes go through the matcher. */
interface Reading {
  state: number;
  /** How much of an unseen character has been read, as a row of {@link UNSEEN}. Its bytes are held back. */
  unseen: number;
  /** Where the first and the second byte held back came from. */
  from1: number;
  to1: number;
  from2: number;
  to2: number;
  /** Bytes read so far. */
  count: number;
  /** The source offsets of the latest decoded bytes, as a ring. */
  readonly starts: Int32Array;
  end: number;
  /** The dots read so far of one of this server's own tokens. -1: no token is being read. */
  dots: number;
  /** The most bytes that may follow in the token. */
  left: number;
  readonly found: { from: number; to: number }[];
}

/**
 * What backslashes begin: escapes of bytes (C, Python's `bytes`, git), escapes of characters (Python's `str`,
 * JavaScript, Rust), or nothing.
 */
type EscapeReading = 'bytes' | 'characters' | 'none';

/** How to read backspaces. The characters that they lead others to are skipped. */
interface BackspaceReading {
  /** An underscore underlines the character in its place. Otherwise it overstrikes that character. */
  readonly underlines: boolean;
  readonly columns: ColumnReading;
}

/** One time through a part of the bytes. Only the first one and those of commands read everything as usual. */
type Pass = Range &
  (
    | { readonly kind: 'whole' | 'command' }
    | { readonly kind: 'controls'; readonly controls: ControlReading }
    | { readonly kind: 'escapes'; readonly escapes: EscapeReading }
    | { readonly kind: 'backspaces'; readonly backspaces: BackspaceReading }
  );

const ESC = 0x1b;
const BACKSPACE = 0x08;
const SPACE = 0x20;
const DELETE = 0x7f;
const BACKSLASH = 0x5c;
const PLUS = 0x2b;
const PERCENT = 0x25;
const DOT = 0x2e;
const HYPHEN = 0x2d;
const COLON = 0x3a;
const EQUALS = 0x3d;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;
const OPENING_BRACKET = 0x5b;
const CLOSING_BRACKET = 0x5d;
const ZERO = 0x30;
const SEVEN = 0x37;
const LOWER_U = 0x75;
const UPPER_U = 0x55;
const LOWER_X = 0x78;

/** \b \f \n \r \t: controls, also in JSON. */
const JSON_CONTROLS = [0x62, 0x66, 0x6e, 0x72, 0x74];
/** \a \e \v and Bash's \E: controls that JSON escapes otherwise. */
const OTHER_CONTROLS = [0x61, 0x65, 0x76, 0x45];
/** The most digits between braces. */
const MAX_BRACED_DIGITS = 8;
const MAX_CODE_POINT = 0x10ffff;

/**
 * The most bytes of a token's header and payload together, and the length of an HS256 signature, in
 * base64url.
 */
const MAX_TOKEN_BYTES = 4_096;
const SIGNATURE_BYTES = 43;

/**
 * From this length, a prefix of a pattern at the end of the input counts. No secret is shorter.
 */
const MIN_PREFIX = 6;

/** The work of starting and ending a pass, in bytes. */
const PASS_BYTES = 64;

const BASE64 = valuesOf('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/', '-_');
const HEX = valuesOf('0123456789abcdef', '');
for (let value = 10; value < 16; value += 1) HEX[0x41 + value - 10] = value;

/**
 * The characters beyond ASCII that show nothing, only space, or U+FFFD in place of what is no character: C1
 * controls, spaces, soft hyphens, zero-width characters, line separators and direction controls.
 */
const UNSEEN_CHARACTERS = /[\u0080-\u00a0\u00ad\u2000-\u200f\u2028-\u202f\u205f-\u206f\ufeff\ufffd]/g;

const DROPPED = 255;
/** By row: the bytes held back, which begin an unseen character. */
const HELD = [[], [0xc2], [0xe2], [0xe2, 0x80], [0xe2, 0x81], [0xef], [0xef, 0xbb], [0xef, 0xbf]] as const;
/**
 * The same characters in UTF-8, and the insignificant ones of ASCII. `UNSEEN[row * 256 + byte]` is the next
 * row, {@link DROPPED} at the end of such a character, or 0 if there is none.
 */
const UNSEEN = unseenRows();

/**
 * Searches bytes for a matcher's patterns: plain, JSON-, C- or URL-escaped, in base64 and base64url at any
 * offset, and in hex, also with colons or hyphens in it. Whitespace, control characters, backslashes, plus
 * signs, terminal escape sequences, unseen characters and bytes that are not UTF-8 may occur between any two
 * bytes of a match; patterns exclude them, see {@link significant}. Where a marked pattern ends, a JSON Web
 * Token continues, and all of it counts.
 *
 * The bytes are read once, and once more in each other {@link Pass} that can read something in them in another
 * way, at most eleven times, so the work is linear in their number. The other passes do not combine.
 */
export function createSearch(bytes: Uint8Array, matcher: Matcher): Search {
  const { classOf, classes, table, longest, depth, marked } = matcher;
  let size = 16;
  while (size < matcher.maxLength) size *= 2;
  const mask = size - 1;
  const createReading = (): Reading => ({
    state: 0,
    unseen: 0,
    from1: 0,
    to1: 0,
    from2: 0,
    to2: 0,
    count: 0,
    starts: new Int32Array(size),
    end: 0,
    dots: -1,
    left: 0,
    found: [],
  });
  const plain = createReading();
  const escaped = createReading();
  const percent = createReading();
  const base64 = [createReading(), createReading(), createReading(), createReading()] as const;
  const hex = [createReading(), createReading()] as const;
  const readings = [plain, escaped, percent, ...base64, ...hex];
  /** Text inside terminal commands, such as a link's address, is searched after the rest. */
  const passes: Pass[] = [{ kind: 'whole', from: 0, to: bytes.length }];
  /** The pass in progress, as an index. */
  let current = 0;
  let at = 0;
  let stop = bytes.length;
  let controls: ControlReading = 'sequences';
  let escapes: EscapeReading = 'bytes';
  /** The bytes to skip. Null: none. */
  let hidden: Uint8Array | null = null;
  let hasBackspaces = false;
  /** The readings that differ from those of the first pass somewhere. */
  const others = new Set<ControlReading>();
  const otherEscapes = new Set<EscapeReading>();
  /** The matches of all passes so far, and what may be the beginnings of matches at the end. */
  const matches: Range[] = [];
  const prefixes: Range[] = [];

  let sextet = -1;
  let sextetFrom = 0;
  let sextets = 0;
  let nibble = -1;
  let nibbleFrom = 0;
  let nibbles = 0;
  /** The start of a percent escape, and its first digit once that is read. */
  let percentFrom = -1;
  let percentDigit = -1;
  let percentDigitFrom = 0;

  function feed(reading: Reading, byte: number, from: number, to: number): void {
    const next = UNSEEN[byte]!;
    if (next === 0 && reading.unseen === 0) step(reading, byte, from, to);
    else if (next !== DROPPED) feedUnseen(reading, byte, from, to);
  }

  /** Holds back bytes that begin an unseen character, until it is complete or turns out to be another one. */
  function feedUnseen(reading: Reading, byte: number, from: number, to: number): void {
    const row = reading.unseen;
    let next = UNSEEN[row * 256 + byte]!;
    if (row > 0 && next === 0) {
      const [first, second] = HELD[row]!;
      if (first !== undefined) step(reading, first, reading.from1, reading.to1);
      if (second !== undefined) step(reading, second, reading.from2, reading.to2);
      next = UNSEEN[byte]!;
    } else if (row > 0) {
      reading.from2 = from;
      reading.to2 = to;
    }
    reading.unseen = next === DROPPED ? 0 : next;
    if (next === 0) step(reading, byte, from, to);
    else if (row === 0 || HELD[next]?.length === 1) {
      reading.from1 = from;
      reading.to1 = to;
    }
  }

  function step(reading: Reading, byte: number, from: number, to: number): void {
    const state = table[reading.state * classes + classOf[byte]!]!;
    reading.state = state;
    reading.starts[reading.count & mask] = from;
    reading.count += 1;
    reading.end = to;
    if (reading.dots >= 0) goOnWithToken(reading, byte, to);
    const length = longest[state]!;
    if (length === 0) return;
    add(reading, reading.starts[(reading.count - length) & mask]!, to);
    if (marked[state] === 1) {
      reading.dots = 0;
      reading.left = MAX_TOKEN_BYTES;
    }
  }

  function add({ found }: Reading, from: number, to: number): void {
    let start = from;
    let last = found.at(-1);
    while (last && start <= last.to) {
      start = Math.min(start, last.from);
      found.pop();
      last = found.at(-1);
    }
    found.push({ from: start, to });
  }

  function goOnWithToken(reading: Reading, byte: number, to: number): void {
    const isDot = byte === DOT;
    const goesOn = isDot ? reading.dots < 2 : BASE64[byte]! >= 0;
    if (!goesOn || reading.left === 0) {
      reading.dots = -1;
      return;
    }
    reading.left -= 1;
    if (isDot) reading.dots += 1;
    if (isDot && reading.dots === 2) reading.left = SIGNATURE_BYTES;
    const last = reading.found.at(-1);
    if (last) last.to = to;
  }

  function rest(reading: Reading): void {
    reading.state = 0;
    reading.unseen = 0;
    reading.dots = -1;
  }

  /** Feeds a byte that remains after escapes are resolved to the readings that build on it. */
  function feedResolved(byte: number, from: number, to: number): void {
    feed(escaped, byte, from, to);
    feedPercent(byte, from, to);
    feedBase64(byte, from, to);
    feedHex(byte, from, to);
  }

  function feedPercent(byte: number, from: number, to: number): void {
    if (percentFrom >= 0) {
      const value = HEX[byte]!;
      if (value >= 0 && percentDigit < 0) {
        percentDigit = value;
        percentDigitFrom = from;
        return;
      }
      const started = percentFrom;
      const digit = percentDigit;
      percentFrom = -1;
      percentDigit = -1;
      if (value >= 0) {
        feed(percent, (digit << 4) | value, started, to);
        return;
      }
      // This is not an escape, so the bytes held back count as they are.
      feed(percent, PERCENT, started, started + 1);
      if (digit >= 0) feed(percent, bytes[percentDigitFrom]!, percentDigitFrom, percentDigitFrom + 1);
    }
    if (byte === PERCENT) percentFrom = from;
    else feed(percent, byte, from, to);
  }

  function feedBase64(byte: number, from: number, to: number): void {
    const value = BASE64[byte]!;
    if (value < 0) {
      if (sextet >= 0) for (const reading of base64) rest(reading);
      sextet = -1;
      sextets = 0;
      return;
    }
    if (sextet >= 0) {
      // Two adjacent characters contain a whole byte in three of the four ways to group characters.
      feed(base64[(sextets - 1) & 3]!, ((sextet << 2) | (value >> 4)) & 255, sextetFrom, to);
      feed(base64[(sextets - 2) & 3]!, ((sextet << 4) | (value >> 2)) & 255, sextetFrom, to);
      feed(base64[(sextets - 3) & 3]!, ((sextet << 6) | value) & 255, sextetFrom, to);
    }
    sextet = value;
    sextetFrom = from;
    sextets += 1;
  }

  function feedHex(byte: number, from: number, to: number): void {
    const value = HEX[byte]!;
    if (value < 0) {
      // Between bytes, as in fingerprints.
      if (byte === COLON || byte === HYPHEN) return;
      if (nibble >= 0) for (const reading of hex) rest(reading);
      nibble = -1;
      return;
    }
    if (nibble >= 0) feed(hex[nibbles & 1]!, (nibble << 4) | value, nibbleFrom, to);
    nibble = value;
    nibbleFrom = from;
    nibbles += 1;
  }

  /** Resolves the escape that begins with the backslash at `from`. Returns where to continue. */
  function resolveEscape(from: number): number {
    let next = from;
    while (next < stop && bytes[next] === BACKSLASH) next += 1;
    if (escapes === 'none' || next === stop) return next;
    const kind = bytes[next]!;
    if (JSON_CONTROLS.includes(kind)) {
      feed(plain, kind, next, next + 1);
      return next + 1;
    }
    if (kind === LOWER_U || kind === LOWER_X || kind === UPPER_U) return resolveHex(kind, from, next);
    if (isOctalAt(next)) return resolveOctal(from, next);
    if (!OTHER_CONTROLS.includes(kind)) return next;
    otherEscapes.add('none');
    feed(plain, kind, next, next + 1);
    return next + 1;
  }

  function resolveHex(kind: number, from: number, next: number): number {
    const digits = kind === LOWER_U ? 4 : kind === LOWER_X ? 2 : 8;
    const code = hexAt(next + 1, digits);
    if (code < 0 || code > MAX_CODE_POINT) return kind === UPPER_U ? next : resolveBraced(from, next);
    const end = next + 1 + digits;
    if (kind === LOWER_X) return resolvedByte(code, from, next, end);
    if (kind === UPPER_U) otherEscapes.add('none');
    return resolved(code, from, next, end);
  }

  /** Resolves \u{…} and \x{…}. */
  function resolveBraced(from: number, next: number): number {
    if (next + 1 >= stop || bytes[next + 1] !== OPENING_BRACE) return next;
    const first = next + 2;
    let end = first;
    while (end < stop && end < first + MAX_BRACED_DIGITS && HEX[bytes[end]!]! >= 0) end += 1;
    const isClosed = end > first && end < stop && bytes[end] === CLOSING_BRACE;
    const code = isClosed ? hexAt(first, end - first) : -1;
    if (code < 0 || code > MAX_CODE_POINT) return next;
    otherEscapes.add('none');
    return resolved(code, from, next, end + 1);
  }

  function resolveOctal(from: number, next: number): number {
    otherEscapes.add('none');
    // Rust writes \0 before a digit, too.
    const isShort = escapes === 'characters' && bytes[next] === ZERO;
    let code = 0;
    let end = next;
    while (end < next + (isShort ? 1 : 3) && code < 0o40 && isOctalAt(end)) {
      code = code * 8 + bytes[end]! - ZERO;
      end += 1;
    }
    if (bytes[next] === ZERO && end > next + 1) otherEscapes.add('characters');
    return resolvedByte(code, from, next, end);
  }

  function isOctalAt(place: number): boolean {
    return place < stop && bytes[place]! >= ZERO && bytes[place]! <= SEVEN;
  }

  function resolvedByte(byte: number, from: number, next: number, end: number): number {
    if (byte < 0x80 || escapes === 'characters') return resolved(byte, from, next, end);
    otherEscapes.add('characters');
    feedPlain(next, end);
    feedResolved(byte, from, end);
    return end;
  }

  /** Feeds the character of an escape whose backslashes end at `next`. */
  function resolved(code: number, from: number, next: number, to: number): number {
    feedPlain(next, to);
    if (code <= SPACE || code === DELETE) return to;
    if (code < 0x80) {
      feedResolved(code, from, to);
      return to;
    }
    const end = code >= 0xd800 && code < 0xdc00 ? afterLowSurrogate(to) : to;
    const text = end > to ? String.fromCharCode(code, hexAt(end - 4, 4)) : String.fromCodePoint(code);
    if (text.replace(UNSEEN_CHARACTERS, '') === '') return end;
    for (const byte of Buffer.from(text)) feedResolved(byte, from, end);
    return end;
  }

  /** Skips the escape of the second half of a character at `from`, if there is one. */
  function afterLowSurrogate(from: number): number {
    let next = from;
    while (next < stop && bytes[next] === BACKSLASH) next += 1;
    const code = next > from && next < stop && bytes[next] === LOWER_U ? hexAt(next + 1, 4) : -1;
    if (code < 0xdc00 || code >= 0xe000) return from;
    feedPlain(next, next + 5);
    return next + 5;
  }

  function feedPlain(from: number, to: number): void {
    for (let place = from; place < to; place += 1) feed(plain, bytes[place]!, place, place + 1);
  }

  function hexAt(from: number, digits: number): number {
    if (from + digits > stop) return -1;
    let code = 0;
    for (let place = from; place < from + digits; place += 1) {
      const value = HEX[bytes[place]!]!;
      if (value < 0) return -1;
      code = (code << 4) | value;
    }
    return code;
  }

  /** Skips the terminal sequence or control that begins at `from`. Returns where to continue. */
  function sequence(from: number): number {
    const next = skipSequence(bytes, from, stop, controls, addCommand);
    if (passes[current]?.kind === 'whole') noteOthers(from, next);
    return next;
  }

  /** Notes the readings in which what begins at `from` does not end at `next`. */
  function noteOthers(from: number, next: number): void {
    const isEscape = bytes[from] === ESC;
    const kind = isEscape && from + 1 < stop ? bytes[from + 1] : 0;
    // A color, or the like. A log with colors is read again only if a match may contain part of one.
    if (kind === OPENING_BRACKET && next > from + 2 && bytes[next - 1]! >= 0x40) {
      if (mayContain(from + 2, next)) others.add('pairs');
      if (mayContain(from + 1, next)) others.add('bare');
      return;
    }
    const ends = (reading: ControlReading) => skipSequence(bytes, from, stop, reading, () => {});
    const alone = ends('alone');
    if (alone !== next) others.add('alone');
    if (ends('long') !== next) others.add('long');
    if (!isEscape) return;
    // A link or a title is as common. The rest of its text is searched anyway.
    const isLink = kind === CLOSING_BRACKET;
    if (ends('pairs') !== next && (!isLink || mayContain(from + 2, from + 3))) others.add('pairs');
    if (alone !== from + 1 && (!isLink || mayContain(from + 1, from + 2))) others.add('bare');
  }

  /** Returns true if a match may contain these bytes and those before or after them. */
  function mayContain(from: number, to: number): boolean {
    const { state } = plain;
    return (
      goesOn(state, from, to) ||
      (escaped.state !== state && goesOn(escaped.state, from, to)) ||
      (percent.state !== state && goesOn(percent.state, from, to))
    );
  }

  function goesOn(before: number, from: number, to: number): boolean {
    let state = before;
    for (let place = from; place < to && place < stop && longest[state] === 0; place += 1) {
      const byte = bytes[place]!;
      if (UNSEEN[byte] !== DROPPED) state = table[state * classes + classOf[byte]!]!;
    }
    return state !== 0;
  }

  function addCommand(from: number, to: number): void {
    if (to - from < MIN_PREFIX) return;
    if (passes[current]?.kind === 'whole') passes.push({ kind: 'command', from, to });
  }

  function readTo(end: number): void {
    while (at < end) {
      const byte = bytes[at]!;
      if (hidden !== null && hidden[at] !== SHOWN) at += 1;
      else if (byte === ESC) at = sequence(at);
      else if (byte === BACKSLASH) at = resolveEscape(at);
      else if (byte >= 0x80) readWide();
      else {
        if (byte > SPACE && byte !== DELETE) {
          feed(plain, byte, at, at + 1);
          feedResolved(byte, at, at + 1);
        } else if (byte === BACKSPACE) hasBackspaces = true;
        at += 1;
      }
    }
  }

  /** Reads a character beyond ASCII, or skips a byte that belongs to none. */
  function readWide(): void {
    if (controlAt(bytes, at, stop) > 0) {
      at = sequence(at);
      return;
    }
    const length = characterLength(bytes, at, stop);
    if (length === 0 || isUnseen(at, length)) {
      at += Math.max(1, length);
      return;
    }
    for (const end = at + length; at < end; at += 1) {
      feed(plain, bytes[at]!, at, at + 1);
      feedResolved(bytes[at]!, at, at + 1);
    }
  }

  function isUnseen(from: number, length: number): boolean {
    let row = 0;
    for (let place = from; place < from + length; place += 1) {
      row = UNSEEN[row * 256 + bytes[place]!]!;
      if (row === 0 || row === DROPPED) break;
    }
    return row === DROPPED;
  }

  function goOn(count: number): boolean {
    for (let left = count; current < passes.length; ) {
      const from = at;
      readTo(Math.min(stop, at + left));
      left -= at - from;
      if (at < stop) return true;
      left -= PASS_BYTES;
      endPass(passes[current]!);
      current += 1;
      const next = passes[current];
      if (next) startPass(next);
      if (left <= 0) return next !== undefined;
    }
    return false;
  }

  function startPass(pass: Pass): void {
    at = pass.from;
    stop = pass.to;
    controls = pass.kind === 'controls' ? pass.controls : 'sequences';
    escapes = pass.kind === 'escapes' ? pass.escapes : 'bytes';
    hidden = pass.kind === 'backspaces' ? hiddenBy(pass.backspaces) : null;
  }

  /** Returns which bytes backspaces hide, and adds the passes in which they hide others. */
  function hiddenBy({ underlines, columns }: BackspaceReading): Uint8Array {
    const { shown, isUnderlined, isUneven } = overstruck(bytes, underlines, columns);
    if (underlines && isUnderlined) addBackspaces({ underlines: false, columns });
    if (underlines && isUneven) addBackspaces({ underlines, columns: 'characters' });
    return shown;
  }

  function addBackspaces(backspaces: BackspaceReading): void {
    passes.push({ kind: 'backspaces', backspaces, from: 0, to: bytes.length });
  }

  function endPass({ kind, from, to }: Pass): void {
    for (const reading of readings) {
      const ends = kind === 'command' ? [] : prefixOf(reading);
      for (const range of ends) prefixes.push(withHidden(range));
      for (const range of reading.found.splice(0)) matches.push(withHidden(range));
      rest(reading);
    }
    sextet = -1;
    nibble = -1;
    percentFrom = -1;
    percentDigit = -1;
    if (kind !== 'whole') return;
    for (const reading of others) passes.push({ kind: 'controls', controls: reading, from, to });
    for (const reading of otherEscapes) passes.push({ kind: 'escapes', escapes: reading, from, to });
    if (hasBackspaces) addBackspaces({ underlines: true, columns: 'display' });
  }

  return {
    goOn,
    ranges: (openEnd) => {
      goOn(Number.POSITIVE_INFINITY);
      const all = openEnd ? [...matches, ...prefixes] : matches;
      return merged(all.map(({ from, to }) => ({ from, to: withPadding(to) })));
    },
  };

  /** Includes the characters that were overstruck by the first one. */
  function withHidden({ from, to }: Range): Range {
    let start = from;
    for (let before = from - 1; hidden !== null && before >= 0 && hidden[before] !== SHOWN; before -= 1) {
      if (hidden[before] === OVERSTRUCK) start = before;
    }
    return { from: start, to };
  }

  function prefixOf({ state, starts, count, end }: Reading): Range[] {
    const length = depth[state]!;
    return length < MIN_PREFIX ? [] : [{ from: starts[(count - length) & mask]!, to: end }];
  }

  function withPadding(to: number): number {
    let end = to;
    while (end < to + 2 && bytes[end] === EQUALS) end += 1;
    return end;
  }
}

/**
 * Returns the bytes of a text that searches compare: without those that writing it down may add, drop or
 * change.
 */
export function significant(text: string): Uint8Array {
  // Buffers turn lone surrogates into U+FFFD, which is unseen.
  const seen = Buffer.from(text).toString().replace(UNSEEN_CHARACTERS, '');
  return Buffer.from(seen).filter((byte) => UNSEEN[byte] !== DROPPED);
}

function merged(ranges: readonly Range[]): Range[] {
  const result: { from: number; to: number }[] = [];
  for (const { from, to } of ranges.toSorted((one, other) => one.from - other.from)) {
    const last = result.at(-1);
    if (last && from <= last.to) last.to = Math.max(last.to, to);
    else result.push({ from, to });
  }
  return result;
}

function valuesOf(alphabet: string, alternatives: string): Int8Array {
  const values = new Int8Array(256).fill(-1);
  for (const [value, character] of [...alphabet].entries()) values[character.charCodeAt(0)] = value;
  for (const [index, character] of [...alternatives].entries())
    values[character.charCodeAt(0)] = alphabet.length - alternatives.length + index;
  return values;
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
