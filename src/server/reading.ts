import type { Socket } from 'node:net';
import type { Turns } from '../lib/turns.ts';

/** What a part is taken to cost, in milliseconds, before the first one of a connection has been read. */
const FIRST_PART_MS = 0.1;
/** A connection whose parts take less does not wait for those whose parts take longer. */
const QUICK_PART_MS = 0.25;
/** The most that a part is taken to cost beforehand: the last one may have met a pause for garbage collection. */
const PART_MAX_MS = 2;

/** Turns of the loop for reading connections, by milliseconds. Each connection waits at most once. */
export interface ReadingTurns {
  readonly quick: Turns;
  readonly slow: Turns;
}

/** How a connection is read. A record, not closures: there is one for every connection. */
export interface Reading {
  readonly stream: Socket;
  readonly turns: ReadingTurns;
  /** What understands the bytes: a listener of Node's or of ws for `data`. */
  parse: Parse;
  /** The same for `end`. */
  finish: Finish;
  /** How many of the bytes that have come make the next part: at least one. */
  partOf: (bytes: Buffer) => number;
  /** Bytes that have come and are not read: little more than one chunk. */
  rest: Buffer | null;
  /** The peer sends no more. */
  isEnded: boolean;
  /** Milliseconds that the last part took. */
  cost: number;
  /** How many keep the connection from being read. */
  holds: number;
  /** The next part waits for a turn of the loop. */
  inTurn: boolean;
  /** A part is being read. */
  isParsing: boolean;
  /** What understands the bytes has paused the stream, and resumes it. */
  isPausedByParser: boolean;
}

type Parse = (this: Socket, part: Buffer) => void;
type Finish = (this: Socket) => void;

const readings = new WeakMap<Socket, Reading>();

/**
 * Reads a connection in parts. The parts of all connections share each turn of the event loop by the time that they take.
 * Bytes say little about that time: 64 KiB may hold ten thousand frames or chunks, or thousands of requests, and Node and
 * ws read in one go what they are given. Call this when Node has added its listeners: from then on, this calls them.
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

/** How a connection is read. */
export function readingOf(stream: Socket): Reading {
  const reading = readings.get(stream);
  if (!reading) throw new Error('the connection is not read in parts');
  return reading;
}

/** Gives the connection to another parser, which has added its listeners. `partOf` cuts the bytes for it. */
export function readOn(reading: Reading, partOf: Reading['partOf']): void {
  reading.partOf = partOf;
  takeListeners(reading);
}

/** Throws away what comes from now on: the parser has read all that it wants. */
export function ignoreRest(reading: Reading): void {
  reading.parse = ignore;
  reading.partOf = allOf;
}

/** Ends reading for the parser so far. Returns `head`, which that has left over, and what comes after it. */
export function leaveParser(reading: Reading, head: Buffer): Buffer {
  ignoreRest(reading);
  reading.finish = ignore;
  const { rest } = reading;
  reading.rest = null;
  return rest ? Buffer.concat([head, rest]) : head;
}

/** Reads the connection no further until the result is called. */
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

/** Whether something that has come, or may have come, is not read. */
export function isBehind({ rest, holds }: Reading): boolean {
  return rest !== null || holds > 0;
}

function takeListeners(reading: Reading): void {
  const { stream } = reading;
  reading.parse = takeLast(stream, 'data', onData) as Parse;
  reading.finish = takeLast(stream, 'end', onEnd) as Finish;
}

/** Takes the listener that was added last. Node's and ws's own have no other way to be given less than a whole chunk. */
function takeLast(stream: Socket, event: 'data' | 'end', own: unknown): unknown {
  const listener = stream.listeners(event).findLast((listener) => listener !== own);
  if (!listener) throw new Error(`nothing listens for ${event} of a connection`);
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
  // Told late, and paused again since.
  if (this.isPaused()) return;
  reading.isPausedByParser = false;
  readParts(reading);
}

/** ws reads on its own what it finds in a closed stream, and would miss the bytes before that. */
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
  // Rejected once the connection is closed.
  turn.then(go, () => {});
}

function readPart(reading: Reading): void {
  const { stream, rest } = reading;
  if (!rest) return;
  const began = performance.now();
  reading.isParsing = true;
  // While it is paused by us, nothing tells whether the parser pauses it, too.
  if (stream.isPaused()) stream.resume();
  const length = reading.partOf(rest);
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

/** With something left the stream stays paused: else it could report its end before all of it is read. */
function pauseOrResume({ stream, rest, holds, inTurn, isPausedByParser }: Reading): void {
  if (isPausedByParser) return;
  if (rest || holds > 0 || inTurn) stream.pause();
  else if (stream.isPaused()) stream.resume();
}
