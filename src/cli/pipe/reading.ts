import type { Readable } from 'node:stream';
import { createBell } from '../../lib/bell.ts';

/** Reads a stream for as long as something is to be expected of it. */
export interface Reading {
  /** The next bytes; null at the end. */
  next(): Promise<Uint8Array | null>;
  /** Who writes is done: what follows comes within so many milliseconds of what came before, or is not waited for. */
  finish(withinMs: number): void;
}

/**
 * Reads no further than it is asked to, so that the writer is held back. The end alone would not do: a process that was
 * left behind may hold the stream open for ever.
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
