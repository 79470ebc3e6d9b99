import type { Socket } from 'node:net';

/** Resolves when the socket has taken what it was given, is closed, or the signal aborts. */
export function drained(stream: Socket, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off('drain', done);
      stream.off('close', done);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    stream.on('drain', done);
    stream.on('close', done);
    signal?.addEventListener('abort', done, { once: true });
    if (signal?.aborted || stream.destroyed) done();
  });
}

/**
 * Holds back what is written in this turn of the loop, so that it goes out as one write: an answer and its `complete`,
 * or the answers to all operations of one socket. Returns what is to be called before each write.
 */
export function oneWriteATurn(stream: Socket): () => void {
  let holding = false;
  return () => {
    if (holding) return;
    holding = true;
    stream.cork();
    setImmediate(() => {
      holding = false;
      stream.uncork();
    });
  };
}
