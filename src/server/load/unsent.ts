import type { ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';

const PIECE_BYTES = 32 * 1024;

/**
 * Writes to a stream, passing the callback to the last write. Returns null if the stream accepted everything
 * at once. Otherwise resolves when it has, when it is closed, or when the signal aborts. A stream itself
 * requests a drain only above its high-water mark; up to there, writes would pile up for a peer that accepts
 * nothing.
 */
export function writeAndFlush(
  stream: Writable | ServerResponse,
  signal: AbortSignal,
  write: (onTaken: () => void) => void,
): Promise<void> | null {
  let onTaken = () => {};
  write(() => onTaken());
  if (stream.writableLength === 0 || stream.destroyed || signal.aborted) return null;
  return new Promise((resolve) => {
    onTaken = () => {
      stream.off('close', onTaken);
      signal.removeEventListener('abort', onTaken);
      resolve();
    };
    stream.on('close', onTaken);
    signal.addEventListener('abort', onTaken);
  });
}

/**
 * One shared wait per stream. With a listener for each waiter, removing thousands of them blocked the event
 * loop for seconds.
 */
const draining = new WeakMap<Writable, Promise<void>>();

/** Resolves when the stream has taken everything written to it, or is closed. */
export function drained(stream: Writable): Promise<void> {
  const known = draining.get(stream);
  if (known) return known;
  if (stream.destroyed) return Promise.resolve();
  const wait = new Promise<void>((resolve) => {
    const done = () => {
      draining.delete(stream);
      stream.off('drain', done);
      stream.off('close', done);
      resolve();
    };
    stream.on('drain', done);
    stream.on('close', done);
  });
  draining.set(stream, wait);
  return wait;
}

/**
 * Writes a large body that other responses share, as fast as the client reads it. Written at once, it would count as
 * unread bytes of each client. Resolves when all of it is written or the client is gone.
 */
export async function writeInPieces(response: ServerResponse, body: Buffer): Promise<void> {
  for (let at = 0; at < body.length && !response.destroyed; at += PIECE_BYTES) {
    if (!response.write(body.subarray(at, at + PIECE_BYTES))) await drained(response);
  }
}
