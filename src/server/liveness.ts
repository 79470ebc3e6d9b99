import type { WebSocket } from 'ws';
import { CLOSE_CODES } from '../contract/errors.ts';
import { isBehind, type Reading } from './reading.ts';
import type { Unread } from './unread.ts';

/** How often a peer is asked for a sign of life. */
const PING_MS = 12_000;
/** A peer is dead when it answers none of so many: one ping may stand behind megabytes in a slow network's buffers. */
const PINGS_UNANSWERED = 4;
/** How long a slow consumer has to take the close frame that stands behind what it did not read. */
const SLOW_GRACE_MS = 30_000;

/**
 * Ends a websocket whose peer is dead (takes what is sent and answers no ping) or slow (takes nothing). Returns what
 * ends the watch.
 */
export function watchLiveness(socket: WebSocket, reading: Reading, unread: Unread): () => void {
  const { stream } = reading;
  let unanswered = 0;
  let grace: NodeJS.Timeout | undefined;
  socket.on('pong', () => {
    unanswered = 0;
  });
  unread.onSlow(stream, () => {
    socket.close(CLOSE_CODES.slowConsumer.code, CLOSE_CODES.slowConsumer.reason);
    grace = setTimeout(() => socket.terminate(), SLOW_GRACE_MS);
  });
  const pings = setInterval(() => {
    // Behind unread bytes a ping says nothing: that peer is slow before it is dead.
    // And while we read nothing, its answers wait with the rest.
    if (stream.writableLength > 0 || isBehind(reading)) return;
    if (unanswered >= PINGS_UNANSWERED) return socket.terminate();
    unanswered += 1;
    if (socket.readyState === socket.OPEN) socket.ping();
  }, PING_MS);
  return () => {
    clearInterval(pings);
    clearTimeout(grace);
  };
}
