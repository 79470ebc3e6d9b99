import type { Socket } from 'node:net';
import type { Turns } from '../../lib/waiting/turns.ts';

/** The assumed cost of a connection's first part, in milliseconds. */
const FIRST_PART_MS = 0.1;
/**
 * A connection whose parts take less time, in milliseconds, does not wait for those whose parts take longer.
 */
const QUICK_PART_MS = 0.25;
/**
 * The highest assumed cost of a part, in milliseconds. The measured one may include a pause for garbage
 * collection.
 */
const PART_MAX_MS = 2;

/** Event-loop turns for reading connections, in milliseconds. Each connection waits at most once. */
export interface ReadingTurns {
  readonly quick: Turns;
  readonly slow: Turns;
}

/** The state of reading a connection. A plain record, not closures, because there is one per connection. */
export interface Reading {
  readonly stream: Socket;
  readonly turns: ReadingTurns;
  /** The parser: the `data` listener of Node or ws. */
  parse: Parse;
  /** The `end` listener of Node or ws. */
  finish: Finish;
  /** Returns how many of the received bytes form the next part. 0 if it has paused the reading with a hold. */
  partOf: (bytes: Buffer) => number;
  /** Bytes received but not parsed: little more than one chunk. */
  rest: Buffer | null;
  /** True if the peer has ended the stream. */
  isEnded: boolean;
  /** Milliseconds that the last part took. */
  cost: number;
  /** The number of active holds that pause reading. */
  holds: number;
  /** True while the next part waits for an event-loop turn. */
  inTurn: boolean;
  /** True while a part is being parsed. */
  isParsing: boolean;
  /** True if the parser has paused the stream. The parser also resumes it. */
  isPausedByParser: boolean;
}

type Parse = (this: Socket, part: Buffer) => void;
type Finish = (this: Socket) => void;

const readings = new WeakMap<Socket, Reading>();

/**
 * Reads a connection in parts. The parts of all connections share each event-loop turn by the time that they
 * take. Bytes say little about that time: 64 KiB may contain ten thousand frames or chunks, or thousands of
 * requests, and Node and ws parse everything they receive in one go. Call this after Node has added its
 * listeners, which are then called with the parts. `partOf` returns how many of the given bytes form the next
 * part.
 */
export function readInParts(stream: Socket, turns: ReadingTurns, partOf: Reading['partOf']): Reading {
  const reading: Reading = {
    stream,
    turns,
    parse: ignore,
    finish: ignore,
    partOf,
    rest: null,
    isEnded: false,
    cost: FIRST_PART_MS,
    holds: 0,
    inTurn: false,
    isParsing: false,
    isPausedByParser: false,
  };
  readings.set(stream, reading);
  takeListeners(reading);
  stream.on('data', onData).on('end', onEnd).on('resume', onResume).on('close', onClose);
  return reading;
}

/** Returns the reading state of a connection. Throws if {@link readInParts} was not called for it. */
export function readingOf(stream: Socket): Reading {
  const reading = readings.get(stream);
  if (!reading) throw new Error('readInParts was not called for this connection');
  return reading;
}

/**
 * Passes the connection to another parser, which has added its listeners. `partOf` splits the bytes for it.
 */
export function readOn(reading: Reading, partOf: Reading['partOf']): void {
  reading.partOf = partOf;
  takeListeners(reading);
}

/** Discards all further bytes. The parser needs no more. */
export function ignoreRest(reading: Reading): void {
  reading.parse = ignore;
  reading.partOf = allOf;
}

/**
 * Ends reading for the current parser. Returns `head`, the bytes that the parser left over, followed by all
 * bytes not yet parsed.
 */
export function leaveParser(reading: Reading, head: Buffer): Buffer {
  ignoreRest(reading);
  reading.finish = ignore;
  const { rest } = reading;
  reading.rest = null;
  return rest ? Buffer.concat([head, rest]) : head;
}

/** Pauses reading until the returned function is called. */
export function holdReading(reading: Reading): () => void {
  reading.holds += 1;
  readParts(reading);
  let held = true;
  return () => {
    if (!held) return;
    held = false;
    reading.holds -= 1;
    // Deferred: the caller may be parsing or writing an answer, and the next part could call it again.
    queueMicrotask(() => readParts(reading));
  };
}

/** Returns true if received bytes are, or may be, waiting to be parsed. */
export function isBehind({ rest, holds }: Reading): boolean {
  return rest !== null || holds > 0;
}

function takeListeners(reading: Reading): void {
  const { stream } = reading;
  reading.parse = takeLast(stream, 'data', onData) as Parse;
  reading.finish = takeLast(stream, 'end', onEnd) as Finish;
}

/**
 * Removes and returns the listener that was added last. There is no other way to pass less than a whole chunk
 * to Node's and ws's listeners.
 */
function takeLast(stream: Socket, event: 'data' | 'end', own: unknown): unknown {
  const listener = stream.listeners(event).findLast((listener) => listener !== own);
  if (!listener) throw new Error(`the connection has no listener for ${event}`);
  stream.off(event, listener as () => void);
  return listener;
}

function ignore(): void {}

function allOf({ length }: Buffer): number {
  return length;
}

function onData(this: Socket, chunk: Buffer): void {
  const reading = readingOf(this);
  reading.rest = reading.rest ? Buffer.concat([reading.rest, chunk]) : chunk;
  readParts(reading);
}

function onEnd(this: Socket): void {
  const reading = readingOf(this);
  reading.isEnded = true;
  readParts(reading);
}

function onResume(this: Socket): void {
  const reading = readingOf(this);
  // The event is late: the stream has been paused again since.
  if (this.isPaused()) return;
  reading.isPausedByParser = false;
  readParts(reading);
}

/** Empties a closed stream. ws would read what is left in it and miss the bytes before that. */
function onClose(this: Socket): void {
  const reading = readingOf(this);
  if (!reading.rest) return;
  reading.rest = null;
  while (this.read() !== null);
}

function mayRead({ stream, holds, inTurn, isPausedByParser }: Reading): boolean {
  return holds === 0 && !inTurn && !isPausedByParser && !stream.destroyed;
}

function readParts(reading: Reading): void {
  if (reading.isParsing) return;
  while (reading.rest && mayRead(reading)) {
    const turn = turnsOf(reading).take(reading.stream, reading.cost);
    if (turn) awaitTurn(reading, turn);
    else readPart(reading);
  }
  if (reading.isEnded && !reading.rest && mayRead(reading)) finish(reading);
  pauseOrResume(reading);
}

function awaitTurn(reading: Reading, turn: Promise<void>): void {
  reading.inTurn = true;
  const go = () => {
    reading.inTurn = false;
    if (mayRead(reading)) readPart(reading);
    readParts(reading);
  };
  // Rejects once the connection is closed.
  turn.then(go, () => {});
}

function readPart(reading: Reading): void {
  const { stream, rest } = reading;
  if (!rest) return;
  const began = performance.now();
  reading.isParsing = true;
  const length = reading.partOf(rest);
  if (length === 0) {
    reading.isParsing = false;
    return;
  }
  // While the stream is paused here, it is impossible to tell whether the parser also pauses it.
  if (stream.isPaused()) stream.resume();
  const isWhole = length >= rest.length;
  reading.rest = isWhole ? null : rest.subarray(length);
  reading.parse.call(stream, isWhole ? rest : rest.subarray(0, length));
  reading.isParsing = false;
  reading.isPausedByParser = stream.isPaused();
  const took = performance.now() - began;
  turnsOf(reading).spend(Math.max(0, took - reading.cost));
  reading.cost = Math.min(took, PART_MAX_MS);
}

function turnsOf({ turns, cost }: Reading): Turns {
  return cost < QUICK_PART_MS ? turns.quick : turns.slow;
}

function finish(reading: Reading): void {
  reading.isEnded = false;
  reading.finish.call(reading.stream);
}

/**
 * Keeps the stream paused while bytes are left. Otherwise it could emit `end` before all of them are parsed.
 */
function pauseOrResume({ stream, rest, holds, inTurn, isPausedByParser }: Reading): void {
  if (isPausedByParser) return;
  if (rest || holds > 0 || inTurn) stream.pause();
  else if (stream.isPaused()) stream.resume();
}
