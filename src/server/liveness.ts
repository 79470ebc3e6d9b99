import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { CLOSE_CODES } from '../contract/errors.ts';

/** How often a peer is asked for a sign of life. */
const PING_MS = 12_000;
/** A peer is dead when it answers none of so many: one ping may stand behind megabytes in a slow network's buffers. */
const PINGS_UNANSWERED = 4;
/** A consumer is slow when nothing could be written to its socket for so long. */
const SLOW_CONSUMER_MS = 30_000;
const PROGRESS_CHECK_MS = 5_000;
/** How long a slow consumer has to take the close frame that stands behind what it did not read. */
const SLOW_GRACE_MS = 30_000;

/**
 * Calls `onSlow` once when bytes have waited on the stream for 30 s without any being taken. Returns what ends the
 * watch.
 */
export function watchProgress(stream: Socket, onSlow: () => void): () => void {
  let taken = -1;
  let since = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    const takenNow = stream.bytesWritten - stream.writableLength;
    if (stream.writableLength === 0 || takenNow !== taken) {
      taken = takenNow;
      since = now;
    } else if (now - since >= SLOW_CONSUMER_MS) {
      clearInterval(timer);
      onSlow();
    }
  }, PROGRESS_CHECK_MS);
  return () => clearInterval(timer);
}

/**
 * Ends a websocket whose peer is dead (takes what is sent and answers no ping) or slow (takes nothing). Returns what
 * ends the watch.
 */
export function watchLiveness(socket: WebSocket, stream: Socket): () => void {
  let unanswered = 0;
  let grace: NodeJS.Timeout | undefined;
  socket.on('pong', () => {
    unanswered = 0;
  });
  const stopProgress = watchProgress(stream, () => {
    socket.close(CLOSE_CODES.slowConsumer.code, CLOSE_CODES.slowConsumer.reason);
    grace = setTimeout(() => socket.terminate(), SLOW_GRACE_MS);
  });
  const pings = setInterval(() => {
    // Behind unread bytes a ping says nothing: that peer is slow before it is dead.
    if (stream.writableLength > 0) return;
    if (unanswered >= PINGS_UNANSWERED) return socket.terminate();
    unanswered += 1;
    if (socket.readyState === socket.OPEN) socket.ping();
  }, PING_MS);
  return () => {
    stopProgress();
    clearInterval(pings);
    clearTimeout(grace);
  };
}
