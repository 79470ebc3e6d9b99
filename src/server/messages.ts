import type { RawData, WebSocket } from 'ws';
import { NO_ROOM, TOO_HEAVY } from './bodies.ts';
import { createFrameBytes, type FrameBytes, followFrames, unfinishedBytes } from './frame-bytes.ts';
import type { Request } from './intake.ts';
import type { Load } from './load.ts';
import { holdReading, ignoreRest, type Reading, readOn } from './reading.ts';
import { readingTurn } from './weight.ts';

/** A message of fewer bytes is always taken: it may end an operation, which makes room. */
const SMALL_BYTES = 1_024;
/** What a piece of an unfinished message counts at least: 110 bytes of heap or more hold it. */
const PIECE_BYTES = 256;

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
  readonly reading: Reading;
  readonly load: Load;
  readonly handlers: MessageHandlers;
  readonly frames: FrameBytes;
  /** The message whose end has not come. */
  unfinished: Request | null;
  /** Bytes of it that are counted. */
  counted: number;
  /** Nothing begins any more. */
  isClosed: boolean;
}

/**
 * Hands over the messages of a socket, one at a time and in order. While one waits for a turn of the loop, the socket is
 * read no further.
 */
export function takeMessages(
  socket: WebSocket,
  reading: Reading,
  load: Load,
  handlers: MessageHandlers,
  limit: MessageLimit,
): void {
  const messages: Messages = {
    limit,
    reading,
    load,
    handlers,
    frames: createFrameBytes(),
    unfinished: null,
    counted: 0,
    isClosed: false,
  };
  readOn(reading, (bytes) => {
    // ws takes no bytes after a close frame.
    if (messages.frames.isClosed) {
      ignoreRest(reading);
      return bytes.length;
    }
    const length = followFrames(messages.frames, bytes);
    countUnfinished(messages);
    return length;
  });
  socket.on('message', (data: RawData) => take(messages, data as Buffer));
  socket.once('close', () => {
    messages.isClosed = true;
    messages.unfinished?.release();
  });
}

/** Stops counting a message's bytes. May be called again. */
export function releaseMessage(message: Message, { intake }: Load): void {
  intake.give(message.held);
  message.held = 0;
}

/** Before ws reads the part: what it then makes a message of is no longer unfinished. */
function countUnfinished(messages: Messages): void {
  const { frames, load, handlers, limit } = messages;
  const bytes = unfinishedBytes(frames);
  if (bytes === 0) {
    messages.unfinished?.release();
    messages.unfinished = null;
    messages.counted = 0;
    return;
  }
  if (bytes > limit.maxMessageBytes) {
    handlers.tooBig();
    return;
  }
  messages.unfinished ??= load.intake.begin(handlers.cut);
  const held = Math.max(bytes, frames.pieces * PIECE_BYTES);
  if (messages.unfinished.add(held - messages.counted)) messages.counted = held;
  else messages.unfinished.cut();
}

function take(messages: Messages, text: Buffer): void {
  const { load, reading, handlers, limit, isClosed } = messages;
  if (isClosed) return;
  const { length } = text;
  if (length > limit.maxMessageBytes) {
    handlers.tooBig();
    return;
  }
  const counted = load.intake.take(length);
  if (!counted && length >= SMALL_BYTES) {
    handlers.refuse(text, { code: 'OVERLOADED', message: NO_ROOM });
    return;
  }
  const message: Message = { bytes: length, held: counted ? length : 0, text, turn: null };
  const turn = readingTurn(text, load.turns, reading.stream);
  if (!turn) {
    begin(messages, text, message);
    return;
  }
  waitFor(messages, turn, (admission) => {
    if (admission === 'may be read') return begin(messages, text, message);
    releaseMessage(message, load);
    if (admission === 'too heavy') handlers.refuse(text, { code: 'BODY_TOO_LARGE', message: TOO_HEAVY });
    else handlers.refuse(text, { code: 'OVERLOADED', message: NO_ROOM });
  });
}

function begin(messages: Messages, text: Buffer, message: Message): void {
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
  const goOn = holdReading(messages.reading);
  void turn.then((value) => {
    then(value);
    goOn();
  });
}
