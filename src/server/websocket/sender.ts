import type { WebSocket } from 'ws';
import { holdReading, type Reading } from '../load/reading.ts';
import type { Unread } from '../load/unread.ts';
import { drained } from '../load/unsent.ts';

/** With this much unsent, nothing more is read from a peer until it has read. */
const UNSENT_MAX_BYTES = 1024 * 1024;
/** Longer messages are counted at once instead of at the end of the event-loop turn. */
const LONG_MESSAGE = 64 * 1024;

/** Sends messages to one websocket. A plain record, not closures, because there is one per socket. */
export interface Sender {
  readonly socket: WebSocket;
  readonly reading: Reading;
  readonly unread: Unread;
  /** True while the messages of this event-loop turn are held back, to go out as one write. */
  isHoldingBack: boolean;
  /** True while nothing is read from the peer, because it has not read what was sent to it. */
  isReadingHeld: boolean;
}

/** Creates the sender of a socket. */
export function createSender(socket: WebSocket, reading: Reading, unread: Unread): Sender {
  const sender: Sender = { socket, reading, unread, isHoldingBack: false, isReadingHeld: false };
  // ws itself answers websocket pings, which no protocol above it sees.
  socket.on('ping', () => readWhileHeard(sender));
  return sender;
}

/** Sends a message. Does nothing if the socket is closed or closing. */
export function sendMessage(sender: Sender, text: string): void {
  const { socket, reading, unread } = sender;
  if (socket.readyState !== socket.OPEN) return;
  holdBack(sender);
  socket.send(text);
  if (text.length > LONG_MESSAGE) unread.note(reading.stream);
  readWhileHeard(sender);
}

/**
 * Combines everything written in one event-loop turn into one write: a result and its `complete`, or the
 * answers to all operations of one socket.
 */
function holdBack(sender: Sender): void {
  if (sender.isHoldingBack) return;
  sender.isHoldingBack = true;
  const { stream } = sender.reading;
  stream.cork();
  setImmediate(() => {
    sender.isHoldingBack = false;
    stream.uncork();
    sender.unread.note(stream);
  });
}

/**
 * Stops reading from a peer that sends requests without reading its answers, pongs included, until it has
 * accepted everything.
 */
function readWhileHeard(sender: Sender): void {
  const { stream } = sender.reading;
  if (sender.isReadingHeld || stream.writableLength <= UNSENT_MAX_BYTES) return;
  sender.isReadingHeld = true;
  const goOn = holdReading(sender.reading);
  void drained(stream).then(() => {
    sender.isReadingHeld = false;
    goOn();
  });
}
