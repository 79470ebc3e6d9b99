import type { Matcher } from './matcher.ts';
import { DROPPED, HELD, UNSEEN } from './unseen.ts';
import { beginToken, continuesToken, type TokenProgress } from './web-tokens.ts';

/** A range of bytes. `to` is excluded. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** Bytes decoded in one way, on their way through a matcher one by one. */
export interface MatchStream {
  readonly matcher: Matcher;
  /** The matcher's state. */
  state: number;
  /** The row of {@link UNSEEN} that the latest bytes lead to. They are held back unless it is 0. */
  unseen: number;
  /** Where the first and the second byte held back came from. */
  from1: number;
  to1: number;
  from2: number;
  to2: number;
  /** Bytes that went through the matcher so far. */
  count: number;
  /** The source offsets of the latest of them, as a ring. Its length is a power of two. */
  readonly starts: Int32Array;
  /** Where the source of the latest one ends. */
  end: number;
  /** The token that a marked pattern began, while it goes on. */
  token: TokenProgress | null;
  /** The matches, ordered and not touching one another. */
  readonly found: { from: number; to: number }[];
}

/** From this length, a prefix of a pattern at the end of the input counts. No secret is shorter. */
export const MIN_PREFIX = 6;

export function createStream(matcher: Matcher): MatchStream {
  let size = 16;
  while (size < matcher.maxLength) size *= 2;
  return {
    matcher,
    state: 0,
    unseen: 0,
    from1: 0,
    to1: 0,
    from2: 0,
    to2: 0,
    count: 0,
    starts: new Int32Array(size),
    end: 0,
    token: null,
    found: [],
  };
}

/** Continues the stream with a byte that was decoded from this range. Unseen characters do not count. */
export function feed(stream: MatchStream, byte: number, from: number, to: number): void {
  const next = UNSEEN[byte]!;
  if (next === 0 && stream.unseen === 0) step(stream, byte, from, to);
  else if (next !== DROPPED) feedUnseen(stream, byte, from, to);
}

/** Holds back bytes that begin an unseen character, until it is complete or turns out to be another one. */
function feedUnseen(stream: MatchStream, byte: number, from: number, to: number): void {
  const row = stream.unseen;
  let next = UNSEEN[row * 256 + byte]!;
  if (row > 0 && next === 0) {
    const [first, second] = HELD[row]!;
    if (first !== undefined) step(stream, first, stream.from1, stream.to1);
    if (second !== undefined) step(stream, second, stream.from2, stream.to2);
    next = UNSEEN[byte]!;
  } else if (row > 0) {
    stream.from2 = from;
    stream.to2 = to;
  }
  stream.unseen = next === DROPPED ? 0 : next;
  if (next === 0) step(stream, byte, from, to);
  else if (row === 0 || HELD[next]?.length === 1) {
    stream.from1 = from;
    stream.to1 = to;
  }
}

function step(stream: MatchStream, byte: number, from: number, to: number): void {
  const { table, classes, classOf, longest, marked } = stream.matcher;
  const state = table[stream.state * classes + classOf[byte]!]!;
  stream.state = state;
  stream.starts[stream.count & (stream.starts.length - 1)] = from;
  stream.count += 1;
  stream.end = to;
  if (stream.token !== null) followToken(stream, stream.token, byte, to);
  const length = longest[state]!;
  if (length === 0) return;
  addMatch(stream, startOf(stream, length), to);
  if (marked[state] === 1) stream.token = beginToken();
}

/** Returns where the latest bytes begin in the source. */
function startOf({ starts, count }: MatchStream, length: number): number {
  return starts[(count - length) & (starts.length - 1)]!;
}

function addMatch({ found }: MatchStream, from: number, to: number): void {
  let start = from;
  let last = found.at(-1);
  while (last && start <= last.to) {
    start = Math.min(start, last.from);
    found.pop();
    last = found.at(-1);
  }
  found.push({ from: start, to });
}

/** The match that began a token lasts as long as the token. */
function followToken(stream: MatchStream, token: TokenProgress, byte: number, to: number): void {
  const last = stream.found.at(-1);
  if (!continuesToken(token, byte)) stream.token = null;
  else if (last) last.to = to;
}

/** Resets the stream: no match spans the bytes before and after. */
export function restart(stream: MatchStream): void {
  stream.state = 0;
  stream.unseen = 0;
  stream.token = null;
}

/** Returns the range of what may be the beginning of a match, or null if the latest bytes begin none. */
export function prefixOf(stream: MatchStream): Range | null {
  const length = stream.matcher.depth[stream.state]!;
  return length < MIN_PREFIX ? null : { from: startOf(stream, length), to: stream.end };
}

/**
 * Returns true if a match that has begun in the stream, or begins in these bytes, may contain them up to their
 * end.
 */
export function mayContain(
  { state, matcher }: MatchStream,
  bytes: Uint8Array,
  from: number,
  to: number,
): boolean {
  const { table, classes, classOf, longest } = matcher;
  let next = state;
  for (let place = from; place < to && longest[next] === 0; place += 1) {
    const byte = bytes[place]!;
    if (UNSEEN[byte] !== DROPPED) next = table[next * classes + classOf[byte]!]!;
  }
  return next !== 0;
}
