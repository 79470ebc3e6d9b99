import type { IncomingMessage } from 'node:http';
import type { Turns } from '../lib/turns.ts';

/** So many pieces of one connection are read before it waits for its turn. */
export const UNPAID_PIECES = 256;

/**
 * Returns what is to be called for each chunk of a request's body. It reads the body no faster than the loop has time for
 * its chunks: they may have one byte each, and each of them is a call.
 */
export function paceChunks(request: IncomingMessage, pieces: Turns): () => void {
  let chunks = 0;
  return () => {
    chunks += 1;
    if (chunks < UNPAID_PIECES) return;
    const { socket } = request;
    const turn = pieces.take(socket, chunks);
    chunks = 0;
    if (!turn) return;
    request.pause();
    // The request alone would be read on up to its high-water mark, which is thousands of chunks.
    socket.pause();
    void turn.then(() => {
      socket.resume();
      request.resume();
    });
  };
}

/** Reads what is left of a body that nobody wants, so that its connection serves the next request. */
export function discardBody(request: IncomingMessage, pieces: Turns): void {
  request.on('data', paceChunks(request, pieces));
  // Node would else do this once the answer is written, without a pause.
  request.read(0);
}
