import { createDecoders, type Decoders, feedResolved } from './encodings.ts';
import { afterBackslashes, type EscapeDialect, escapeAt } from './escapes.ts';
import { feed, MIN_PREFIX } from './match-stream.ts';
import type { Matcher } from './matcher.ts';
import { type Ambiguities, furtherBackspaces, noAmbiguities, noteControl, type Pass } from './passes.ts';
import {
  type ControlReading,
  characterLength,
  controlAt,
  overstruck,
  SHOWN,
  skipSequence,
} from './terminal-text.ts';
import { isUnseen } from './unseen.ts';

const BACKSPACE = 0x08;
const ESC = 0x1b;
const SPACE = 0x20;
const BACKSLASH = 0x5c;
const DELETE = 0x7f;

/** Feeds the decoders with what is text, pass by pass. */
export interface Reader {
  readonly bytes: Uint8Array;
  readonly decoders: Decoders;
  readonly ambiguities: Ambiguities;
  /** The passes that are done, in progress, and known to follow. */
  readonly passes: Pass[];
  /** The pass in progress is the first one. It finds out which others are needed. */
  isFirst: boolean;
  /** The next byte to read, and where the pass ends. */
  at: number;
  stop: number;
  controls: ControlReading;
  dialect: EscapeDialect;
  /** By byte: whether a terminal shows it. The others are skipped. Null: it shows all. */
  shown: Uint8Array | null;
}

/** Creates a reader at the beginning of its first pass, through all bytes. */
export function createReader(bytes: Uint8Array, matcher: Matcher): Reader {
  return {
    bytes,
    decoders: createDecoders(bytes, matcher),
    ambiguities: noAmbiguities(),
    passes: [{ kind: 'whole', from: 0, to: bytes.length }],
    isFirst: true,
    at: 0,
    stop: bytes.length,
    controls: 'sequences',
    dialect: 'bytes',
    shown: null,
  };
}

/** Begins a later pass. */
export function startPass(reader: Reader, pass: Pass): void {
  reader.isFirst = false;
  reader.at = pass.from;
  reader.stop = pass.to;
  reader.controls = 'sequences';
  reader.dialect = 'bytes';
  reader.shown = null;
  switch (pass.kind) {
    case 'whole':
    case 'command':
      break;
    case 'controls':
      reader.controls = pass.controls;
      break;
    case 'escapes':
      reader.dialect = pass.dialect;
      break;
    case 'backspaces': {
      const strikes = overstruck(reader.bytes, pass.backspaces.underlines, pass.backspaces.columns);
      reader.passes.push(...furtherBackspaces(pass, strikes));
      reader.shown = strikes.shown;
      break;
    }
    default:
      pass satisfies never;
  }
}

/** Reads up to `end`, or up to the end of what begins before it. */
export function readTo(reader: Reader, end: number): void {
  const { bytes, decoders, shown } = reader;
  let at = reader.at;
  while (at < end) {
    const byte = bytes[at]!;
    if (shown !== null && shown[at] !== SHOWN) at += 1;
    else if (byte === ESC) at = readControl(reader, at);
    else if (byte === BACKSLASH) at = readEscape(reader, at);
    else if (byte >= 0x80) at = readWide(reader, at);
    else {
      if (byte > SPACE && byte !== DELETE) {
        feed(decoders.plain, byte, at, at + 1);
        feedResolved(decoders, byte, at, at + 1);
      } else if (byte === BACKSPACE) reader.ambiguities.hasBackspaces = true;
      at += 1;
    }
  }
  reader.at = at;
}

/** Skips the control that begins at `at`, and the terminal sequence it begins. Returns where to continue. */
function readControl(reader: Reader, at: number): number {
  const { bytes, stop, controls, isFirst, passes } = reader;
  const next = skipSequence(bytes, at, stop, controls, (from, to) => {
    // The text of a command, such as a link's address, is no part of the text around it.
    if (isFirst && to - from >= MIN_PREFIX) passes.push({ kind: 'command', from, to });
  });
  if (isFirst) noteControl(reader.ambiguities, reader.decoders, reader, at, next);
  return next;
}

/** Reads the escape that begins at `at`. Returns where to continue. */
function readEscape(reader: Reader, at: number): number {
  const { bytes, decoders, ambiguities } = reader;
  const body = afterBackslashes(reader, at);
  const { end, decoded, otherwise } = escapeAt(reader, body);
  for (const dialect of otherwise) ambiguities.dialects.add(dialect);
  for (let place = body; place < end; place += 1) feed(decoders.plain, bytes[place]!, place, place + 1);
  for (let index = 0; index < decoded.length; index += 1) feedResolved(decoders, decoded[index]!, at, end);
  return end;
}

/** Reads a character beyond ASCII, or skips a byte that belongs to none. Returns where to continue. */
function readWide(reader: Reader, at: number): number {
  const { bytes, decoders, stop } = reader;
  if (controlAt(bytes, at, stop) > 0) return readControl(reader, at);
  const length = characterLength(bytes, at, stop);
  if (length === 0) return at + 1;
  if (isUnseen(bytes, at, length)) return at + length;
  for (let place = at; place < at + length; place += 1) {
    feed(decoders.plain, bytes[place]!, place, place + 1);
    feedResolved(decoders, bytes[place]!, place, place + 1);
  }
  return at + length;
}
