import { randomInt } from 'node:crypto';
import { REQUEST_MAX_WEIGHT, WEIGHT } from '../../config/limits.ts';
import { attempt } from '../../lib/attempt.ts';
import { type Turns, TurnsExhausted } from '../../lib/waiting/turns.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/**
 * Strings of up to this many bytes are read byte by byte, which is faster than a native search. Longer keys
 * are not compared.
 */
const SHORT_STRING = 64;
/** Slots for keys that have occurred in the text. */
const KNOWN_KEYS = 4_096;

/** Random, because a client could otherwise choose keys with equal hashes. */
const SEED = randomInt(2 ** 31);

/** Shorter text is read at once. Longer text waits for an event-loop turn with time for it. */
const SHORT_BYTES = 1_024;

/**
 * Shorter text is not scanned, since scanning takes half as long as parsing. The densest such text takes 40
 * ms to parse.
 */
const SCANNED_BYTES = 64 * 1024;
/** The assumed weight per byte of text that is not scanned: 6 is common, and 145 is the maximum. */
const UNSCANNED_BYTE = 32;
/** The assumed weight per byte of small text, of which little can be dense at once. */
const SMALL_BYTES = 8 * 1024;
const SMALL_UNSCANNED_BYTE = 16;

/**
 * The decision about JSON text: it may be read now, it exceeds the weight of a request, or too much work is
 * waiting.
 */
export type Admission = 'may be read' | 'too heavy' | 'no room';

/**
 * Waits for an event-loop turn with time to read JSON text. Returns null if it may be read now. The promise
 * resolves in such a turn, or with the reason for a refusal. It never rejects.
 */
export function readingTurn(
  text: Buffer,
  turns: Pick<Turns, 'take'>,
  owner: object,
): Promise<Admission> | null {
  if (text.length < SHORT_BYTES) return null;
  if (text.length >= SCANNED_BYTES) return scanningTurn(text, turns, owner);
  const byte = text.length < SMALL_BYTES ? SMALL_UNSCANNED_BYTE : UNSCANNED_BYTE;
  try {
    const turn = turns.take(owner, text.length * byte);
    return turn ? turn.then(() => 'may be read' as const, noRoom) : null;
  } catch (error) {
    return Promise.resolve(noRoom(error));
  }
}

async function scanningTurn(text: Buffer, turns: Pick<Turns, 'take'>, owner: object): Promise<Admission> {
  try {
    // Scanning takes time, too, and it depends only on the length.
    const scanning = turns.take(owner, text.length);
    if (scanning) await scanning;
    const weight = weigh(text, REQUEST_MAX_WEIGHT);
    if (weight > REQUEST_MAX_WEIGHT) return 'too heavy';
    const reading = turns.take(owner, weight);
    if (reading) await reading;
    return 'may be read';
  } catch (error) {
    return noRoom(error);
  }
}

function noRoom(error: unknown): Admission {
  if (error instanceof TurnsExhausted) return 'no room';
  throw error;
}

/**
 * Returns the weight of JSON text: its bytes plus {@link WEIGHT} for its contents. Scans the text once,
 * without validating it, and stops soon after exceeding `limit`.
 */
export function weigh(text: Buffer, limit: number): number {
  const known = new Int32Array(KNOWN_KEYS);
  let weight = text.length;
  let at = 0;
  while (at < text.length && weight <= limit) {
    switch (text[at]) {
      case QUOTE: {
        const end = stringEnd(text, at);
        const next = skipSpace(text, end);
        if (text[next] === 0x3a) weight += keyWeight(text, at, end, known);
        at = next;
        continue;
      }
      case 0x2c:
        weight += WEIGHT.value;
        break;
      case 0x5b:
      case 0x7b:
        weight += WEIGHT.container;
        break;
      default:
    }
    at += 1;
  }
  return weight;
}

/** Returns the string value of `name` in the outermost object of JSON text. Null if there is none. */
export function topLevelString(text: Buffer, name: string): string | null {
  const key = Buffer.from(JSON.stringify(name));
  let depth = 0;
  let at = 0;
  while (at < text.length) {
    const byte = text[at];
    if (byte === QUOTE) {
      const end = stringEnd(text, at);
      const next = skipSpace(text, end);
      if (depth === 1 && text[next] === 0x3a && isAt(text, at, end, key)) {
        const value = skipSpace(text, next + 1);
        return text[value] === QUOTE
          ? attempt(() => String(JSON.parse(text.toString('utf8', value, stringEnd(text, value)))))
          : null;
      }
      at = next;
      continue;
    }
    if (byte === 0x5b || byte === 0x7b) depth += 1;
    else if (byte === 0x5d || byte === 0x7d) depth -= 1;
    at += 1;
  }
  return null;
}

/** Compares without creating an object: keys may be millions. */
function isAt(text: Buffer, start: number, end: number, key: Buffer): boolean {
  return end - start === key.length && text.compare(key, 0, key.length, start, end) === 0;
}

/** Returns the weight of a key. A repeated key is cheap, because the engine keeps one copy of it. */
function keyWeight(text: Buffer, start: number, end: number, known: Int32Array): number {
  if (end - start > SHORT_STRING) return WEIGHT.newKey;
  let hash = SEED;
  for (let at = start; at < end; at += 1) hash = Math.imul(hash ^ text[at]!, 0x01000193);
  const slot = (hash ^ (hash >>> 15)) & (KNOWN_KEYS - 1);
  if (known[slot] === hash) return WEIGHT.key;
  known[slot] = hash;
  return WEIGHT.newKey;
}

/**
 * Returns the index after the string that opens at `start`, or the text's length if the string does not end.
 */
function stringEnd(text: Buffer, start: number): number {
  let at = start + 1;
  while (at < text.length) {
    const short = Math.min(text.length, at + SHORT_STRING);
    while (at < short) {
      const byte = text[at];
      if (byte === QUOTE) return at + 1;
      at += byte === BACKSLASH ? 2 : 1;
    }
    const quote = text.indexOf(QUOTE, at);
    if (quote < 0) return text.length;
    let before = quote;
    while (before > at && text[before - 1] === BACKSLASH) before -= 1;
    at = quote + 1;
    if ((quote - before) % 2 === 0) return at;
  }
  return text.length;
}

function skipSpace(text: Buffer, start: number): number {
  let at = start;
  while (text[at] === 0x20 || text[at] === 0x0a || text[at] === 0x0d || text[at] === 0x09) at += 1;
  return at;
}
