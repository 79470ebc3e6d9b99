import type { Socket } from 'node:net';
import type { RawData, WebSocket } from 'ws';
import { NO_ROOM, TOO_HEAVY } from './bodies.ts';
import type { Brake } from './brake.ts';
import { createFrameBytes } from './frame-bytes.ts';
import type { Intake, Request } from './intake.ts';
import type { Load } from './load.ts';
import { readingTurn } from './weight.ts';

/** Messages of one socket in one turn of the loop at most. The next ones wait for the next turn. */
const MESSAGES_PER_TURN = 32;
/** A message of fewer bytes is always taken: it may end an operation, which makes room. */
const SMALL_BYTES = 1_024;

/** Why a message is not handled. */
export interface MessageRefusal {
  readonly code: 'BODY_TOO_LARGE' | 'OVERLOADED';
  readonly message: string;
}

/** A message that is being handled. Neither promise rejects. */
export interface Handled {
  /** The next message waits until this one has started. Null: it has. */
  readonly start: Promise<void> | null;
  readonly end: Promise<void>;
}

/** What is done with the messages of one socket. */
export interface MessageHandlers {
  /** Handles a message; its bytes count until `release` is called or it has ended. */
  readonly handle: (message: Buffer, release: () => void) => Handled;
  readonly refuse: (message: Buffer, refusal: MessageRefusal) => void;
  /** No room is left for the rest of an unfinished message, or it did not arrive in time. */
  readonly cut: () => void;
}

/**
 * Hands over the messages of a socket in order: no more in a turn of the loop than leaves time for other sockets, heavy
 * ones in a turn with time for them. While messages wait, the socket is read no further.
 */
export function takeMessages(
  socket: WebSocket,
  stream: Socket,
  { intake, turns }: Load,
  brake: Brake,
  { handle, refuse, cut }: MessageHandlers,
): void {
  let waiting: Buffer[] = [];
  let taken = 0;
  let inTurn = false;
  let heavy = false;
  let release: (() => void) | null = null;

  function take(message: Buffer): void {
    if (waiting.length === 0 && !heavy && taken < MESSAGES_PER_TURN) {
      begin(message);
      return;
    }
    waiting.push(message);
    release ??= brake.hold();
  }

  function begin(message: Buffer): void {
    taken += 1;
    // Not after each message: a turn of the loop for a lone batch would cost more than it is worth.
    if (taken >= MESSAGES_PER_TURN) nextTurn();
    const counted = intake.take(message.length);
    const release = counted ? releaseOf(intake, message.length) : () => {};
    const refused = (refusal: MessageRefusal) => {
      release();
      refuse(message, refusal);
    };
    if (!counted && message.length >= SMALL_BYTES) {
      refused({ code: 'OVERLOADED', message: NO_ROOM });
      return;
    }
    const start = () => {
      const handled = handle(message, release);
      void handled.end.then(release);
      if (handled.start) waitFor(handled.start, () => {});
    };
    const turn = readingTurn(message, turns, stream);
    if (!turn) {
      start();
      return;
    }
    waitFor(turn, (admission) => {
      if (admission === 'may be read') start();
      else if (admission === 'too heavy') refused({ code: 'BODY_TOO_LARGE', message: TOO_HEAVY });
      else refused({ code: 'OVERLOADED', message: NO_ROOM });
    });
  }

  /** Takes no message until the turn has come. */
  function waitFor<Value>(turn: Promise<Value>, then: (value: Value) => void): void {
    heavy = true;
    void turn.then((value) => {
      heavy = false;
      then(value);
      nextTurn();
    });
  }

  function nextTurn(): void {
    if (inTurn) return;
    inTurn = true;
    setImmediate(() => {
      inTurn = false;
      taken = 0;
      takeWaiting();
    });
  }

  function takeWaiting(): void {
    let next = 0;
    while (next < waiting.length && !heavy && taken < MESSAGES_PER_TURN) {
      begin(waiting[next]!);
      next += 1;
    }
    waiting = waiting.slice(next);
    if (waiting.length > 0 || heavy) return;
    release?.();
    release = null;
  }

  let unfinished: Request | null = null;
  let counted = 0;
  const unfinishedBytes = createFrameBytes();
  // Before ws: what it has made a message of is no longer unfinished.
  stream.prependListener('data', (chunk: Buffer) => {
    const { bytes, afterAnother } = unfinishedBytes(chunk);
    if (afterAnother || bytes === 0) {
      unfinished?.release();
      unfinished = null;
      counted = 0;
    }
    if (bytes === 0) return;
    unfinished ??= intake.begin(cut);
    if (unfinished.add(bytes - counted)) counted = bytes;
    else unfinished.cut();
  });
  socket.on('message', (data: RawData) => take(data as Buffer));
  socket.once('close', () => {
    unfinished?.release();
    waiting = [];
  });
}

/** Gives the bytes back once. Holds no message: what an open subscription keeps must be small. */
function releaseOf(intake: Intake, bytes: number): () => void {
  let held = bytes;
  return () => {
    intake.give(held);
    held = 0;
  };
}
