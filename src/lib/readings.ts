import type { Matcher } from './matcher.ts';

/** A range of bytes. `to` is excluded. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** A search that can run in pieces. */
export interface Search {
  /** Continues the search up to this offset or a few kilobytes further. */
  to(end: number): void;
  /**
   * Returns the matches, ordered and not touching one another. `openEnd` includes what may be the beginning
   * of a match.
   */
  ranges(openEnd: boolean): readonly Range[];
}

/** One way to decode the bytes. The decoded bytes go through the matcher. */
interface Reading {
  state: number;
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

const ESC = 0x1b;
const BEL = 0x07;
const BACKSLASH = 0x5c;
const PLUS = 0x2b;
const PERCENT = 0x25;
const DOT = 0x2e;
const EQUALS = 0x3d;

/**
 * A terminal's operating system command (a title, a link) is recognized only if it ends within this many
 * bytes.
 */
const MAX_COMMAND_BYTES = 4_096;

/**
 * The most bytes of a token's header and payload together, and the length of an HS256 signature, in
 * base64url.
 */
const MAX_TOKEN_BYTES = 4_096;
const SIGNATURE_BYTES = 43;

/** From this length, a prefix of a pattern at the end of the input counts. */
const MIN_PREFIX = 6;

const BASE64 = valuesOf('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/', '-_');
const HEX = valuesOf('0123456789abcdef', '');
for (let value = 10; value < 16; value += 1) HEX[0x41 + value - 10] = value;

/**
 * Searches bytes for a matcher's patterns: plain, JSON-, C- or URL-escaped, in base64 and base64url at any
 * offset, and in hex. Whitespace, control characters, backslashes, plus signs and terminal escape sequences
 * may occur between any two bytes of a match; patterns exclude them, see {@link significant}. Where a marked
 * pattern ends, a JSON Web Token continues, and all of it counts. The work is linear in the number of bytes.
 */
export function createSearch(bytes: Uint8Array, matcher: Matcher): Search {
  const { classOf, classes, table, longest, depth, marked } = matcher;
  let size = 16;
  while (size < matcher.maxLength) size *= 2;
  const mask = size - 1;
  const createReading = (): Reading => ({
    state: 0,
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
  const commands: Range[] = [];
  let at = 0;
  let stop = bytes.length;

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
    if (byte <= 0x20 || byte === BACKSLASH || byte === PLUS || byte === 0x7f) return;
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
    const kind = next < stop ? bytes[next]! : 0;
    const digits = kind === 0x75 ? 4 : kind === 0x78 ? 2 : 0;
    const code = digits > 0 ? hexAt(next + 1, digits) : -1;
    if (code >= 0) {
      for (let place = next; place <= next + digits; place += 1) feed(plain, bytes[place]!, place, place + 1);
      return digits === 2 ? resolved(code, from, next + 3) : unicode(code, from, next + 5);
    }
    // \b \f \n \r \t: whitespace.
    if ([0x62, 0x66, 0x6e, 0x72, 0x74].includes(kind)) {
      feed(plain, kind, next, next + 1);
      return next + 1;
    }
    return next;
  }

  function resolved(byte: number, from: number, to: number): number {
    feedResolved(byte, from, to);
    return to;
  }

  function unicode(code: number, from: number, to: number): number {
    let text = String.fromCharCode(code);
    let end = to;
    if (code >= 0xd800 && code < 0xdc00) {
      let next = to;
      while (next < stop && bytes[next] === BACKSLASH) next += 1;
      const second = next > to && bytes[next] === 0x75 ? hexAt(next + 1, 4) : -1;
      if (second >= 0xdc00 && second < 0xe000) {
        for (let place = next; place < next + 5; place += 1) feed(plain, bytes[place]!, place, place + 1);
        text += String.fromCharCode(second);
        end = next + 5;
      }
    }
    for (const byte of Buffer.from(text)) feedResolved(byte, from, end);
    return end;
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

  /** Skips the terminal escape sequence that begins at `from`. Returns where to continue. */
  function terminalSequence(from: number): number {
    const kind = from + 1 < stop ? bytes[from + 1]! : 0;
    if (kind === 0x5b) {
      let next = from + 2;
      while (next < stop && next < from + 64 && bytes[next]! >= 0x20 && bytes[next]! < 0x40) next += 1;
      return Math.min(stop, next + 1);
    }
    if (![0x5d, 0x50, 0x58, 0x5e, 0x5f].includes(kind)) return from + 1;
    const last = Math.min(stop, from + MAX_COMMAND_BYTES);
    for (let next = from + 2; next < last; next += 1) {
      const byte = bytes[next]!;
      if (byte === 0x0a) break;
      if (byte !== BEL && byte !== ESC) continue;
      commands.push({ from: from + 2, to: next });
      return byte === BEL ? next + 1 : Math.min(stop, next + 2);
    }
    return from + 2;
  }

  function readTo(end: number): void {
    while (at < end) {
      const byte = bytes[at]!;
      if (byte === ESC) at = terminalSequence(at);
      else if (byte === BACKSLASH) at = resolveEscape(at);
      else {
        if (byte > 0x20 && byte !== 0x7f) {
          feed(plain, byte, at, at + 1);
          feedResolved(byte, at, at + 1);
        }
        at += 1;
      }
    }
  }

  function readCommands(): void {
    for (const { from, to } of commands.splice(0)) {
      for (const reading of readings) rest(reading);
      sextet = -1;
      nibble = -1;
      percentFrom = -1;
      percentDigit = -1;
      at = from;
      stop = to;
      readTo(to);
    }
    at = bytes.length;
    stop = bytes.length;
  }

  return {
    to: (end) => readTo(Math.min(end, bytes.length)),
    ranges: (openEnd) => {
      readTo(bytes.length);
      const ends = openEnd ? readings.flatMap((reading) => prefixOf(reading)) : [];
      readCommands();
      const found = readings.flatMap((reading) => reading.found);
      return merged([...found, ...ends].map(({ from, to }) => ({ from, to: withPadding(to) })));
    },
  };

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
  return Buffer.from(text).filter(
    (byte) => byte > 0x20 && byte !== BACKSLASH && byte !== PLUS && byte !== 0x7f,
  );
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
