import type { Readable } from 'node:stream';
import { createBell } from '../../lib/waiting/bell.ts';

/** Reads a stream until it ends, or until no more output is expected. */
export interface Reading {
  /** The next bytes; null at the end. */
  next(): Promise<Uint8Array | null>;
  /** Call when the writer is done: reading then ends at the first pause longer than `withinMs`. */
  finish(withinMs: number): void;
}

/**
 * Reads only on demand, so that a slow reader slows the writer down. The end of the stream alone is not
 * enough: a process that was left behind may hold the stream open forever.
 */
export function createReading(stream: Readable): Reading {
  const chunks: AsyncIterator<Uint8Array> = stream[Symbol.asyncIterator]();
  const bell = createBell();
  const never = new AbortController().signal;
  let withinMs: number | null = null;

  return {
    next: async () => {
      let arrived: Uint8Array | null | undefined;
      const arrive = (chunk: Uint8Array | null): void => {
        arrived = chunk;
        bell.ring();
      };
      chunks.next().then(
        ({ done, value }) => arrive(done ? null : value),
        () => arrive(null),
      );
      await bell.until(() => arrived !== undefined || withinMs !== null, never);
      await bell.until(() => arrived !== undefined, never, withinMs ?? 0);
      if (arrived !== undefined) return arrived;
      stream.destroy();
      return null;
    },
    finish: (within) => {
      withinMs = within;
      bell.ring();
    },
  };
}
