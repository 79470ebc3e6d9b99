import type { WebSocket } from 'ws';
import { CLOSE_CODES } from '../../contract/errors.ts';
import { isBehind, type Reading } from '../load/reading.ts';
import type { Unread } from '../load/unread.ts';

/** Interval between pings. */
const PING_MS = 12_000;
/**
 * A peer is considered dead after this many unanswered pings. A single ping may be queued behind megabytes in
 * a slow network's buffers.
 */
const PINGS_UNANSWERED = 4;
/**
 * How long a slow consumer has to receive the close frame, which is queued behind everything it has not read.
 */
const SLOW_GRACE_MS = 30_000;

/**
 * Ends a websocket whose peer is dead (receives data but answers no ping) or slow (receives nothing). Returns
 * a function that stops watching.
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
    // A ping queued behind unread bytes proves nothing: such a peer counts as slow before it counts as dead.
    // And while the server is not reading, the peer's pongs wait with everything else.
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
