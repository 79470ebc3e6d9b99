import type { Socket } from 'node:net';
import type { RawData, WebSocket } from 'ws';
import { NO_ROOM, TOO_HEAVY } from './bodies.ts';
import { type Brake, holdReading } from './brake.ts';
import { createFrameBytes, type FrameBytes, followFrames, unfinishedBytes } from './frame-bytes.ts';
import type { Request } from './intake.ts';
import type { Load } from './load.ts';
import { UNPAID_PIECES } from './pace.ts';
import { readingTurn } from './weight.ts';

/** Messages of one socket in one turn of the loop at most. The next ones wait for the next turn. */
const MESSAGES_PER_TURN = 32;
/** A message of fewer bytes is always taken: it may end an operation, which makes room. */
const SMALL_BYTES = 1_024;

/** What a piece of an unfinished message, or a message that waits, counts at least: 110 bytes of heap or more hold it. */
const PIECE_BYTES = 256;
/** Messages of one socket that wait are not counted up to here: 64 small ones. */
const FREE_WAITING_BYTES = 64 * PIECE_BYTES;

/** Why a message is not handled. */
export interface MessageRefusal {
  readonly code: 'BODY_TOO_LARGE' | 'OVERLOADED';
  readonly message: string;
}

/** A message that is being handled. */
export interface Message {
  readonly bytes: number;
  /** Bytes of it that the intake counts; 0 once they are released. */
  held: number;
  /** What it says; null once the operation that it begins is known. */
  text: Buffer | null;
  /** The next message waits until this promise settles, so that operations begin in order. Null: it has begun. */
  turn: Promise<void> | null;
}

/** What is done with the messages of one socket. */
export interface MessageHandlers {
  /** Handles a message, and releases it when it has ended. By the return it has begun, or waits for its `turn`. */
  readonly handle: (text: Buffer, message: Message) => void;
  readonly refuse: (text: Buffer, refusal: MessageRefusal) => void;
  /** A message has more bytes than it may have now. */
  readonly tooBig: () => void;
  /** No room is left for the rest of an unfinished message, or it did not arrive in time. */
  readonly cut: () => void;
}

/** What a message may have at most; it may change. */
export interface MessageLimit {
  readonly maxMessageBytes: number;
}

/** The messages of one socket. A record, not closures: there is one for every socket. */
interface Messages {
  readonly limit: MessageLimit;
  readonly stream: Socket;
  readonly load: Load;
  readonly brake: Brake;
  readonly handlers: MessageHandlers;
  readonly frames: FrameBytes;
  /** The message whose end has not come. */
  unfinished: Request | null;
  /** Bytes of it that are counted. */
  counted: number;
  /** Whole messages that wait for a later turn of the loop. */
  waiting: Buffer[];
  /** Bytes of them, at least {@link PIECE_BYTES} each. */
  waitingBytes: number;
  /** Messages taken in this turn of the loop. */
  taken: number;
  /** Whether the next turn of the loop is asked for. */
  inTurn: boolean;
  /** Whether the message that was taken last waits for a turn. */
  heavy: boolean;
  /** Lets the socket be read again. */
  goOn: (() => void) | null;
  /** Nothing begins any more. */
  isClosed: boolean;
}

/**
 * Hands over the messages of a socket in order: no more in a turn of the loop than leaves time for other sockets, heavy
 * ones in a turn with time for them. While messages wait, the socket is read no further.
 */
export function takeMessages(
  socket: WebSocket,
  stream: Socket,
  load: Load,
  brake: Brake,
  handlers: MessageHandlers,
  limit: MessageLimit,
): void {
  const messages: Messages = {
    limit,
    stream,
    load,
    brake,
    handlers,
    frames: createFrameBytes(),
    unfinished: null,
    counted: 0,
    waiting: [],
    waitingBytes: 0,
    taken: 0,
    inTurn: false,
    heavy: false,
    goOn: null,
    isClosed: false,
  };
  // Before ws: what it has made a message of is no longer unfinished.
  stream.prependListener('data', (chunk: Buffer) => {
    countUnfinished(messages, chunk);
    payForFrames(messages);
  });
  socket.on('message', (data: RawData) => take(messages, data as Buffer));
  socket.once('close', () => {
    messages.isClosed = true;
    messages.unfinished?.release();
    countWaiting(messages, -messages.waitingBytes);
    messages.waiting = [];
  });
}

/** Stops counting a message's bytes. May be called again. */
export function releaseMessage(message: Message, { intake }: Load): void {
  intake.give(message.held);
  message.held = 0;
}

function countUnfinished(messages: Messages, chunk: Buffer): void {
  const { frames, load, handlers } = messages;
  const ended = followFrames(frames, chunk);
  const bytes = unfinishedBytes(frames);
  if (ended || bytes === 0) {
    messages.unfinished?.release();
    messages.unfinished = null;
    messages.counted = 0;
  }
  if (bytes === 0) return;
  if (bytes > messages.limit.maxMessageBytes) {
    handlers.tooBig();
    return;
  }
  messages.unfinished ??= load.intake.begin(handlers.cut);
  const held = Math.max(bytes, frames.pieces * PIECE_BYTES);
  if (messages.unfinished.add(held - messages.counted)) messages.counted = held;
  else messages.unfinished.cut();
}

/** Reads no further until the loop has time for as many frames as have come: ws handles those of a chunk in one go. */
function payForFrames({ frames, load, stream, brake }: Messages): void {
  if (frames.unpaid < UNPAID_PIECES) return;
  const turn = load.pieces.take(stream, frames.unpaid);
  frames.unpaid = 0;
  if (turn) void turn.then(holdReading(brake));
}

function take(messages: Messages, text: Buffer): void {
  if (messages.isClosed) return;
  if (text.length > messages.limit.maxMessageBytes) {
    messages.handlers.tooBig();
    return;
  }
  if (messages.waiting.length === 0 && !messages.heavy && messages.taken < MESSAGES_PER_TURN) {
    begin(messages, text);
    return;
  }
  if (!countWaiting(messages, waitingBytesOf(text))) {
    refuseToWait(messages, text);
    return;
  }
  messages.waiting.push(text);
  messages.goOn ??= holdReading(messages.brake);
}

function waitingBytesOf(text: Buffer): number {
  return Math.max(text.length, PIECE_BYTES);
}

/** Counts so much more, or less, that waits. False: there is no room for more. */
function countWaiting(messages: Messages, bytes: number): boolean {
  const { intake } = messages.load;
  const counted = (waiting: number) => Math.max(0, waiting - FREE_WAITING_BYTES);
  const more = counted(messages.waitingBytes + bytes) - counted(messages.waitingBytes);
  if (more > 0 && !intake.take(more)) return false;
  if (more < 0) intake.give(-more);
  messages.waitingBytes += bytes;
  return true;
}

function refuseToWait(messages: Messages, text: Buffer): void {
  if (text.length >= SMALL_BYTES) {
    messages.handlers.refuse(text, { code: 'OVERLOADED', message: NO_ROOM });
    return;
  }
  // Without it the socket's state would be another than its client believes.
  messages.isClosed = true;
  messages.handlers.cut();
}

function begin(messages: Messages, text: Buffer): void {
  const { load, stream, handlers } = messages;
  messages.taken += 1;
  // Not after each message: a turn of the loop for a lone batch would cost more than it is worth.
  if (messages.taken >= MESSAGES_PER_TURN) nextTurn(messages);
  const counted = load.intake.take(text.length);
  if (!counted && text.length >= SMALL_BYTES) {
    handlers.refuse(text, { code: 'OVERLOADED', message: NO_ROOM });
    return;
  }
  const { length } = text;
  const held = counted ? length : 0;
  const message: Message = { bytes: length, held, text, turn: null };
  const turn = readingTurn(text, load.turns, stream);
  if (!turn) {
    start(messages, text, message);
    return;
  }
  waitFor(messages, turn, (admission) => {
    if (admission === 'may be read') return start(messages, text, message);
    releaseMessage(message, load);
    if (admission === 'too heavy') handlers.refuse(text, { code: 'BODY_TOO_LARGE', message: TOO_HEAVY });
    else handlers.refuse(text, { code: 'OVERLOADED', message: NO_ROOM });
  });
}

function start(messages: Messages, text: Buffer, message: Message): void {
  // It has waited for its turn. What it begins now would have nobody to end it.
  if (messages.isClosed) {
    releaseMessage(message, messages.load);
    return;
  }
  messages.handlers.handle(text, message);
  // A turn that is refused is the operation's own error; the next message only waits until that is settled.
  if (message.turn)
    waitFor(
      messages,
      message.turn.catch(() => {}),
      () => {},
    );
}

/** Takes no message until the turn has come. */
function waitFor<Value>(messages: Messages, turn: Promise<Value>, then: (value: Value) => void): void {
  messages.heavy = true;
  void turn.then((value) => {
    messages.heavy = false;
    then(value);
    nextTurn(messages);
  });
}

function nextTurn(messages: Messages): void {
  if (messages.inTurn) return;
  messages.inTurn = true;
  setImmediate(() => {
    messages.inTurn = false;
    messages.taken = 0;
    takeWaiting(messages);
  });
}

function takeWaiting(messages: Messages): void {
  let next = 0;
  while (next < messages.waiting.length && !messages.heavy && messages.taken < MESSAGES_PER_TURN) {
    const text = messages.waiting[next]!;
    next += 1;
    countWaiting(messages, -waitingBytesOf(text));
    begin(messages, text);
  }
  messages.waiting = messages.waiting.slice(next);
  if (messages.waiting.length > 0 || messages.heavy) return;
  messages.goOn?.();
  messages.goOn = null;
}
