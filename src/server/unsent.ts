import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import type { WebSocket } from 'ws';

/** With so much unsent, a peer that sends more is not read until it has read. */
const UNSENT_MAX_BYTES = 1024 * 1024;

/** Whether the response must drain before more is written. Node 22.23 says so of one that holds nothing, and never drains it. */
export function mustDrain(response: ServerResponse): boolean {
  return response.writableNeedDrain && response.writableLength > 0;
}

/** Resolves when the stream has taken what it was given, is closed, or the signal aborts. */
export function drained(stream: Writable, signal?: AbortSignal): Promise<void> {
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
 * Returns what is to be called after each answer: a peer that asks without reading what it is answered, be it with
 * pings, is not read further until it has taken everything.
 */
export function readsWhileHeard(socket: WebSocket, stream: Socket): () => void {
  return () => {
    if (socket.isPaused || stream.writableLength <= UNSENT_MAX_BYTES) return;
    socket.pause();
    void drained(stream).then(() => socket.resume());
  };
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
