import type { RawData, WebSocket } from 'ws';
import { NO_ROOM, TOO_HEAVY } from '../http/bodies.ts';
import type { Request } from '../load/intake.ts';
import type { Load } from '../load/load.ts';
import { holdReading, ignoreRest, type Reading, readOn } from '../load/reading.ts';
import { readingTurn } from '../load/weight.ts';
import { createFrameBytes, type FrameBytes, followFrames, unfinishedBytes } from './frame-bytes.ts';

/** Smaller messages are always accepted, because they may end an operation and so make room. */
const SMALL_BYTES = 1_024;
/** The least that a piece of an unfinished message counts: it occupies 110 bytes of heap or more. */
const PIECE_BYTES = 256;

/** Why a message is refused. */
export interface MessageRefusal {
  readonly code: 'BODY_TOO_LARGE' | 'OVERLOADED';
  readonly message: string;
}

/** A message that is being handled. */
export interface Message {
  readonly bytes: number;
  /** Bytes of the message that the intake counts. 0 once they are released. */
  held: number;
  /** The message text. Null once the operation that it starts is known. */
  text: Buffer | null;
  /**
   * The next message waits until this promise settles, so that operations start in order. Null if this one
   * has started.
   */
  turn: Promise<void> | null;
}

/** Handles the messages of one socket. */
export interface MessageHandlers {
  /**
   * Handles a message and releases it at the end. When this returns, the message's operation has started or
   * waits for the message's `turn`.
   */
  readonly handle: (text: Buffer, message: Message) => void;
  readonly refuse: (text: Buffer, refusal: MessageRefusal) => void;
  /** Called when a message exceeds the current limit. */
  readonly tooBig: () => void;
  /** Called when there is no room for the rest of an unfinished message, or it did not arrive in time. */
  readonly cut: () => void;
}

/** The limit of a message's size in bytes. It may change over time. */
export interface MessageLimit {
  readonly maxMessageBytes: number;
}

/** The messages of one socket. A plain record, not closures, because there is one per socket. */
interface Messages {
  readonly limit: MessageLimit;
  readonly reading: Reading;
  readonly load: Load;
  readonly handlers: MessageHandlers;
  readonly frames: FrameBytes;
  /** The message that has not arrived completely. */
  unfinished: Request | null;
  /** Bytes of the unfinished message that are counted. */
  counted: number;
  /** True once the socket is closed and no further message may start. */
  isClosed: boolean;
}

/**
 * Passes the messages of a socket to the handlers, one at a time and in order. While a message waits for an
 * event-loop turn, nothing more is read from the socket.
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
    // ws accepts no bytes after a close frame.
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

/** Stops counting a message's bytes. Later calls have no effect. */
export function releaseMessage(message: Message, { intake }: Load): void {
  intake.give(message.held);
  message.held = 0;
}

/**
 * Counts unfinished bytes before ws reads the part. Whatever ws then turns into a message is no longer
 * unfinished.
 */
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
  messages.unfinished ??= load.intake.begin(handlers.cut, null);
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
  // The socket closed while the message waited for its turn. Nothing would ever end an operation started now.
  if (messages.isClosed) {
    releaseMessage(message, messages.load);
    return;
  }
  messages.handlers.handle(text, message);
  // A refused turn is reported as the operation's error. The next message only waits until the turn settles.
  if (message.turn)
    waitFor(
      messages,
      message.turn.catch(() => {}),
      () => {},
    );
}

/** Reads no further message until the turn has come. */
function waitFor<Value>(messages: Messages, turn: Promise<Value>, then: (value: Value) => void): void {
  const goOn = holdReading(messages.reading);
  void turn.then((value) => {
    then(value);
    goOn();
  });
}
