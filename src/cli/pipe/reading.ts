import type { Readable } from 'node:stream';
import { createBell } from '../../lib/waiting/bell.ts';

/** Reads a stream until it ends, or until no more output is expected. */
export interface Reading {
  /** The next bytes; null at the end. */
  next(): Promise<Uint8Array | null>;
  /**
   * Call when the writer is done. Reading then ends at the first pause longer than `withinMs`, and in any case after
   * pauses of 10 s in total or after 16 MiB.
   */
  finish(withinMs: number): void;
}

/**
 * The writer's own output is in the pipe, which holds at most 1 MiB, and is read without a pause. Further output is from
 * processes that the writer left behind, which may never stop printing.
 */
const FINISH_MS = 10_000;
const FINISH_BYTES = 16 * 1024 * 1024;

/**
 * Reads only on demand, so that a slow reader slows the writer down. The end of the stream alone is not
 * enough: a process that was left behind may hold the stream open forever.
 */
export function createReading(stream: Readable): Reading {
  const chunks: AsyncIterator<Uint8Array> = stream[Symbol.asyncIterator]();
  const bell = createBell();
  const never = new AbortController().signal;
  let withinMs: number | null = null;
  /** What may still be waited for and read once the writer is done. */
  let leftMs = FINISH_MS;
  let leftBytes = FINISH_BYTES;

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
      if (withinMs === null) return arrived ?? null;
      const began = performance.now();
      await bell.until(() => arrived !== undefined, never, Math.min(withinMs, leftMs));
      leftMs -= performance.now() - began;
      leftBytes -= arrived?.length ?? 0;
      if (arrived !== undefined && leftBytes >= 0) return arrived;
      stream.destroy();
      return null;
    },
    finish: (within) => {
      withinMs = within;
      bell.ring();
    },
  };
}
