const BEL = 0x07;
const BACKSPACE = 0x08;
const LF = 0x0a;
const CR = 0x0d;
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
 * A terminal's operating system command (a title, a link) is recognized only if it ends within this many
 * bytes.
 */
const MAX_COMMAND_BYTES = 4_096;
/** The most bytes of a sequence's parameters. */
const MAX_PARAMETER_BYTES = 62;

/** Bytes after ESC: the start of a sequence with parameters, and of the commands that contain text. */
const PARAMETERS = 0x5b;
const COMMANDS = [0x5d, 0x50, 0x58, 0x5e, 0x5f];

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

/** How to read controls that may also stand alone: C1 controls, and ESC before a character set. */
export type ControlReading = 'sequences' | 'alone';

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
  if (reading === 'alone' && !isEscape) return body;
  const kind = isEscape ? (from + 1 < stop ? bytes[from + 1]! : 0) : controlAt(bytes, from, stop) - C1_OFFSET;
  if (kind === PARAMETERS) return afterParameters(bytes, body, stop);
  if (COMMANDS.includes(kind)) return afterCommand(bytes, body, stop, onCommand);
  if (!isEscape) return body;
  // A character set, such as ESC ( B.
  const isSet = reading === 'sequences' && kind > 0x20 && kind < 0x30;
  return isSet && isIn(bytes, body, stop, 0x30, 0x7e) ? body + 1 : from + 1;
}

/** Returns true if what begins at `from` is read differently as a sequence and as a control that is alone. */
export function isAmbiguous(bytes: Uint8Array, from: number, next: number): boolean {
  if (bytes[from] !== ESC) return next > from + (bytes[from] === 0xc2 ? 2 : 1);
  return next > from + 1 && bytes[from + 1]! < 0x30;
}

function afterParameters(bytes: Uint8Array, body: number, stop: number): number {
  const last = Math.min(stop, body + MAX_PARAMETER_BYTES);
  let next = body;
  while (next < last && bytes[next]! >= 0x20 && bytes[next]! < 0x40) next += 1;
  return isIn(bytes, next, stop, 0x40, 0x7e) ? next + 1 : next;
}

function afterCommand(
  bytes: Uint8Array,
  body: number,
  stop: number,
  onCommand: (from: number, to: number) => void,
): number {
  const last = Math.min(stop, body + MAX_COMMAND_BYTES);
  for (let next = body; next < last; ) {
    const byte = bytes[next]!;
    if (byte === LF) break;
    const control = byte < 0x80 ? 0 : controlAt(bytes, next, stop);
    if (byte === BEL || byte === ESC || control > 0) {
      onCommand(body, next);
      if (byte === BEL) return next + 1;
      if (byte === ESC) return next + 1 < stop && bytes[next + 1] === BACKSLASH ? next + 2 : next;
      return control === STRING_TERMINATOR ? next + (byte === 0xc2 ? 2 : 1) : next;
    }
    next += characterLength(bytes, next, stop) || 1;
  }
  return body;
}

function isIn(bytes: Uint8Array, at: number, stop: number, least: number, most: number): boolean {
  return at < stop && bytes[at]! >= least && bytes[at]! <= most;
}

/** What a terminal does with a byte: show it, show another character in its place, or obey it. */
export const SHOWN = 0;
export const OVERSTRUCK = 1;
const OBEYED = 2;

/**
 * Returns for each byte whether a terminal shows it. A character is overstruck if a backspace leads another
 * one to its place. With `underlines`, an underscore overstrikes no character that is printed before it, as in
 * the output of `nroff`. Text that is only erased counts as shown.
 */
export function overstruck(bytes: Uint8Array, underlines: boolean): Uint8Array {
  const shown = new Uint8Array(bytes.length);
  /** Where the characters of the line begin, by column. */
  const cells: number[] = [];
  let column = 0;

  function hide(from: number): void {
    shown.fill(OVERSTRUCK, from, from + (characterLength(bytes, from, bytes.length) || 1));
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
    } else if (byte === BACKSPACE) {
      column = Math.max(0, column - 1);
      shown[start] = OBEYED;
    } else if (byte >= SPACE && byte !== DELETE) {
      const before = cells[column];
      const isUnderline = underlines && byte === UNDERSCORE && before !== undefined;
      if (isUnderline && bytes[before] !== UNDERSCORE && bytes[before] !== SPACE) hide(start);
      else {
        if (before !== undefined) hide(before);
        cells[column] = start;
      }
      column += 1;
    }
  }
  return shown;
}
