import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Requests of one connection without an answer. Node keeps them all, at 1 to 2 KB each, while the first one takes its time. */
const MAX_UNANSWERED = 64;

/**
 * Counts the requests that a connection has sent without waiting for answers (RFC 9112, section 9.3.2). Returns false
 * for one too many, after which the connection is gone: behind a stream without an end they would fill the heap.
 */
export function createPipelined(): (request: IncomingMessage, response: ServerResponse) => boolean {
  const unanswered = new WeakMap<Socket, number>();
  return ({ socket }, response) => {
    const count = (unanswered.get(socket) ?? 0) + 1;
    if (count > MAX_UNANSWERED) {
      socket.destroy();
      return false;
    }
    unanswered.set(socket, count);
    response.once('close', () => unanswered.set(socket, unanswered.get(socket)! - 1));
    return true;
  };
}
