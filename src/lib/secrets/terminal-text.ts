const BEL = 0x07;
const BACKSPACE = 0x08;
const LF = 0x0a;
const CR = 0x0d;
/** They end a sequence that is incomplete. */
const CANCEL = 0x18;
const SUBSTITUTE = 0x1a;
const ESC = 0x1b;
const SPACE = 0x20;
const BACKSLASH = 0x5c;
const UNDERSCORE = 0x5f;
const DELETE = 0x7f;
/** The C1 control that ends a terminal command. */
const STRING_TERMINATOR = 0x9c;
/** The difference between a C1 control and the byte that follows ESC in its 7-bit form. */
const C1_OFFSET = 0x40;

/**
 * A terminal command (a title, a link) on one line of at most this many bytes is recognized in every reading,
 * others (images) in the long one.
 */
const MAX_COMMAND_BYTES = 4_096;
/** The most bytes of a sequence's parameters, except in the long reading. */
const MAX_PARAMETER_BYTES = 62;

/** Bytes after ESC: the start of a sequence with parameters, and of the commands that contain text. */
const PARAMETERS = 0x5b;
const COMMANDS = [0x5d, 0x50, 0x58, 0x5e, 0x5f];
/** The start of a title in `screen` and `tmux`, which has no 8-bit form. */
const SCREEN_TITLE = 0x6b;
/** Single shifts, which take the next character from another set. */
const SHIFTS = [0x4e, 0x4f];

/** Returns the length of the UTF-8 character at `at`, or 0 if the byte there does not begin a valid one. */
export function characterLength(bytes: Uint8Array, at: number, stop: number): number {
  const first = bytes[at]!;
  if (first < 0x80) return 1;
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length === 0 || at + length > stop) return 0;
  const second = bytes[at + 1]!;
  // Overlong forms, surrogates, and code points above U+10FFFF.
  const least = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const most = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < least || second > most) return 0;
  for (let next = at + 2; next < at + length; next += 1) if ((bytes[next]! & 0xc0) !== 0x80) return 0;
  return length;
}

/**
 * Returns the C1 control (0x80 to 0x9f) at `at`, or 0 if there is none. It is a character of two bytes, or,
 * in the output of programs for 8-bit terminals, a single byte that belongs to no character.
 */
export function controlAt(bytes: Uint8Array, at: number, stop: number): number {
  const byte = bytes[at]!;
  const control = byte === 0xc2 && at + 1 < stop ? bytes[at + 1]! : byte;
  return control >= 0x80 && control < 0xa0 ? control : 0;
}

/**
 * How to read ESC and C1 controls, of which a log does not tell whether a terminal was meant to obey them.
 *
 * - `sequences`: each one together with everything that belongs to it.
 * - `long`: the same, and sequences may be long, contain controls, and be unterminated.
 * - `pairs`: ESC together with what makes it one control. Its parameters, its text, or the character it
 *   shifts count as text, and so does everything after a C1 control.
 * - `alone`: everything after a control counts as text, except the parameters or the text after ESC.
 * - `bare`: everything after a control counts as text.
 */
export type ControlReading = 'sequences' | 'long' | 'pairs' | 'alone' | 'bare';

/**
 * Skips the terminal sequence, or else the control, that begins at `from` with ESC or a C1 control. Returns
 * where to continue. Tells `onCommand` where a command contains text. The bytes that one call reads beyond
 * that place contain no further control, so that calls for all controls take linear time together.
 */
export function skipSequence(
  bytes: Uint8Array,
  from: number,
  stop: number,
  reading: ControlReading,
  onCommand: (from: number, to: number) => void,
): number {
  const isEscape = bytes[from] === ESC;
  const body = isEscape ? from + 2 : from + (bytes[from] === 0xc2 ? 2 : 1);
  if (isEscape ? reading === 'bare' : reading !== 'sequences' && reading !== 'long')
    return isEscape ? from + 1 : body;
  const kind = isEscape ? (from + 1 < stop ? bytes[from + 1]! : 0) : controlAt(bytes, from, stop) - C1_OFFSET;
  if (reading !== 'pairs') {
    const isLong = reading === 'long';
    if (kind === PARAMETERS) return afterParameters(bytes, body, stop, isLong);
    const isTitle = isEscape && kind === SCREEN_TITLE && reading !== 'alone';
    if (isTitle || COMMANDS.includes(kind)) return afterCommand(bytes, body, stop, isLong, onCommand);
    if (reading === 'alone') return from + 1;
    if (SHIFTS.includes(kind)) return isIn(bytes, body, stop, 0x20, 0x7e) ? body + 1 : body;
  }
  return isEscape ? afterIntermediates(bytes, from, stop) : body;
}

/** Skips ESC, any intermediate bytes, and the byte that ends such a sequence, or else only ESC. */
function afterIntermediates(bytes: Uint8Array, from: number, stop: number): number {
  let next = from + 1;
  while (isIn(bytes, next, stop, 0x20, 0x2f)) next += 1;
  return isIn(bytes, next, stop, 0x30, 0x7e) ? next + 1 : from + 1;
}

function afterParameters(bytes: Uint8Array, body: number, stop: number, isLong: boolean): number {
  const last = isLong ? stop : Math.min(stop, body + MAX_PARAMETER_BYTES);
  let next = body;
  while (next < last && (isIn(bytes, next, stop, 0x20, 0x3f) || (isLong && isObeyedInside(bytes[next]!))))
    next += 1;
  return isIn(bytes, next, stop, 0x40, 0x7e) ? next + 1 : next;
}

/** Returns true for a control that a terminal obeys inside a sequence, which then continues. */
function isObeyedInside(byte: number): boolean {
  return byte < SPACE ? byte !== ESC && byte !== CANCEL && byte !== SUBSTITUTE : byte === DELETE;
}

function afterCommand(
  bytes: Uint8Array,
  body: number,
  stop: number,
  isLong: boolean,
  onCommand: (from: number, to: number) => void,
): number {
  const last = isLong ? stop : Math.min(stop, body + MAX_COMMAND_BYTES);
  let next = body;
  while (next < last) {
    const byte = bytes[next]!;
    if (byte === LF && !isLong) return body;
    const control = byte < 0x80 ? 0 : controlAt(bytes, next, stop);
    if (byte === BEL || byte === CANCEL || byte === SUBSTITUTE || byte === ESC || control > 0) {
      onCommand(body, next);
      if (byte === ESC) return next + 1 < stop && bytes[next + 1] === BACKSLASH ? next + 2 : next;
      if (control === 0) return next + 1;
      return control === STRING_TERMINATOR ? next + (byte === 0xc2 ? 2 : 1) : next;
    }
    next += characterLength(bytes, next, stop) || 1;
  }
  return isLong ? Math.min(next, stop) : body;
}

function isIn(bytes: Uint8Array, at: number, stop: number, least: number, most: number): boolean {
  return at < stop && bytes[at]! >= least && bytes[at]! <= most;
}

/** What a terminal does with a byte: show it, show another character in its place, or obey it. */
export const SHOWN = 0;
export const OVERSTRUCK = 1;
const OBEYED = 2;

/** How many columns a character takes: as many as a terminal shows it in, or always one. */
export type ColumnReading = 'display' | 'characters';

/** What backspaces do to a text. */
export interface Overstrikes {
  /** For each byte whether a terminal shows it. */
  readonly shown: Uint8Array;
  /** An underscore was printed over a character. */
  readonly isUnderlined: boolean;
  /** A backspace follows a character that does not take one column. */
  readonly isUneven: boolean;
}

/**
 * Returns what a terminal shows. A character is overstruck if a backspace leads another one to its place.
 * With `underlines`, an underscore overstrikes no character that is printed before it, as in the output of
 * `nroff`. Text that is only erased counts as shown.
 */
export function overstruck(bytes: Uint8Array, underlines: boolean, columns: ColumnReading): Overstrikes {
  const shown = new Uint8Array(bytes.length);
  /** Where the characters of the line begin, by column. */
  const cells: number[] = [];
  let column = 0;
  let isUnderlined = false;
  let isUneven = false;
  let isLineUneven = false;

  /** Hides a character and the marks on it. */
  function hide(from: number): void {
    let next = from + (characterLength(bytes, from, bytes.length) || 1);
    shown.fill(OVERSTRUCK, from, next);
    while (next < bytes.length && columns === 'display') {
      if (bytes[next] === BACKSPACE || (shown[next] !== OBEYED && widthAt(bytes, next) > 0)) return;
      const length = shown[next] === OBEYED ? 1 : characterLength(bytes, next, bytes.length);
      if (shown[next] !== OBEYED) shown.fill(OVERSTRUCK, next, next + length);
      next += length;
    }
  }

  function print(start: number, width: number): void {
    const before = cells[column];
    const isOver = bytes[start] === UNDERSCORE && before !== undefined;
    if (isOver && bytes[before] !== UNDERSCORE && bytes[before] !== SPACE) {
      isUnderlined = true;
      if (underlines) {
        hide(start);
        column += width;
        return;
      }
    }
    for (const end = column + width; column < end; column += 1) {
      const hidden = cells[column];
      if (hidden !== undefined && shown[hidden] === SHOWN) hide(hidden);
      cells[column] = start;
    }
  }

  for (let at = 0; at < bytes.length; ) {
    const byte = bytes[at]!;
    const start = at;
    if (byte === ESC || controlAt(bytes, at, bytes.length) > 0) {
      at = skipSequence(bytes, at, bytes.length, 'sequences', () => {});
      shown.fill(OBEYED, start, at);
      continue;
    }
    at += characterLength(bytes, at, bytes.length) || 1;
    if (byte === LF || byte === CR) {
      cells.length = 0;
      column = 0;
      isLineUneven = false;
    } else if (byte === BACKSPACE) {
      column = Math.max(0, column - 1);
      shown[start] = OBEYED;
      if (isLineUneven) isUneven = true;
    } else if (byte >= SPACE && byte !== DELETE) {
      const width = columns === 'display' ? widthAt(bytes, start) : 1;
      if (width !== 1) isLineUneven = true;
      print(start, width);
    }
  }
  return { shown, isUnderlined, isUneven };
}

/** The first and the last code points of the blocks of wide characters, except emoji. */
const WIDE = [
  0x1100, 0x115f, 0x2329, 0x232a, 0x2e80, 0x303e, 0x3041, 0x4dbf, 0x4e00, 0xa4cf, 0xa960, 0xa97f, 0xac00,
  0xd7a3, 0xf900, 0xfaff, 0xfe10, 0xfe19, 0xfe30, 0xfe6f, 0xff01, 0xff60, 0xffe0, 0xffe6, 0x16fe0, 0x18dff,
  0x1aff0, 0x1b2ff, 0x20000, 0x3fffd,
];
const WIDE_EMOJI = /\p{Emoji_Presentation}/u;
/** Combining and format characters, and the letters that complete a syllable of Hangul. */
const ZERO_WIDTH = /[\p{Mn}\p{Me}\p{Cf}\u1160-\u11ff]/u;
const FIRST_MARK = 0x300;

/** Returns the columns that a terminal shows the character at `at` in. A byte that belongs to none takes one. */
function widthAt(bytes: Uint8Array, at: number): number {
  if (bytes[at]! < 0xcc) return 1;
  const code = codePointAt(bytes, at);
  if (code < FIRST_MARK) return 1;
  let block = 0;
  while (block < WIDE.length && code > WIDE[block + 1]!) block += 2;
  // Marks also occur in the blocks of wide characters.
  const character = String.fromCodePoint(code);
  if (ZERO_WIDTH.test(character)) return 0;
  return (block < WIDE.length && code >= WIDE[block]!) || WIDE_EMOJI.test(character) ? 2 : 1;
}

/** Returns the code point of the UTF-8 character at `at`, or 0 if there is none. */
function codePointAt(bytes: Uint8Array, at: number): number {
  const length = characterLength(bytes, at, bytes.length);
  if (length === 0) return 0;
  let code = length === 1 ? bytes[at]! : bytes[at]! & (0xff >> (length + 1));
  for (let next = at + 1; next < at + length; next += 1) code = (code << 6) | (bytes[next]! & 0x3f);
  return code;
}
