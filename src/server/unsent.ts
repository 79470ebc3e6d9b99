import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { holdReading, type Reading } from './reading.ts';

/** With so much unsent, a peer that sends more is not read until it has read. */
const UNSENT_MAX_BYTES = 1024 * 1024;

/**
 * Writes something to a stream, the last part of it with the callback. Null when the stream took all of it at once; else
 * resolves when it has, when it is closed, or when the signal aborts. A stream itself asks to be drained only above its
 * high-water mark: up to there, one thing after another would wait for a peer that takes nothing.
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

/** One wait of each stream: with a listener each, to take thousands of them off again stood the loop for seconds. */
const draining = new WeakMap<Writable, Promise<void>>();

/** Resolves when the stream has taken what it was given, or is closed. */
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
 * Returns what is to be called after each answer: a peer that asks without reading its answers, pongs included, is read
 * no further until it has taken everything.
 */
export function readsWhileHeard(reading: Reading): () => void {
  let held = false;
  const { stream } = reading;
  return () => {
    if (held || stream.writableLength <= UNSENT_MAX_BYTES) return;
    held = true;
    const goOn = holdReading(reading);
    void drained(stream).then(() => {
      held = false;
      goOn();
    });
  };
}

/**
 * Holds back what is written in this turn of the loop, so that it goes out as one write: an answer and its `complete`,
 * or the answers to all operations of one socket. Returns what is to be called before each write; `written` is called after
 * the one write.
 */
export function oneWriteATurn(stream: Socket, written: () => void): () => void {
  let holding = false;
  return () => {
    if (holding) return;
    holding = true;
    stream.cork();
    setImmediate(() => {
      holding = false;
      stream.uncork();
      written();
    });
  };
}
