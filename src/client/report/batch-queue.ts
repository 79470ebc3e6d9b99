import { createBell } from '../../lib/waiting/bell.ts';
import type { FeedBatch } from '../stream/feed.ts';

/** The most unread data, in characters of JSON. A single batch may be longer. */
const MAX_CHARACTERS = 4 * 1024 * 1024;
/** The most unread batches: even an empty one takes memory. */
const MAX_BATCHES = 1_024;

/** Batches received over a websocket and not yet read. */
export interface BatchQueue {
  /**
   * Adds a batch that arrived as this many characters. False if the queue is full: the batch is not in it.
   */
  push(batch: FeedBatch, characters: number): boolean;
  /** Ends the queue after the waiting batches, with an error if one is given. Only the first call counts. */
  end(error: Error | null): void;
  /** The next batch. Null at the end or on abort. Throws the error that the queue ended with. */
  take(signal: AbortSignal): Promise<FeedBatch | null>;
}

/** Creates a queue, bounded as a websocket has no backpressure: when full, reconnect with the cursor. */
export function createBatchQueue(): BatchQueue {
  const waiting: { readonly batch: FeedBatch; readonly characters: number }[] = [];
  let characters = 0;
  let ended: { readonly error: Error | null } | null = null;
  const bell = createBell();

  return {
    push: (batch, length) => {
      const full = characters + length > MAX_CHARACTERS || waiting.length >= MAX_BATCHES;
      if (ended || (full && waiting.length > 0)) return false;
      waiting.push({ batch, characters: length });
      characters += length;
      bell.ring();
      return true;
    },
    end: (error) => {
      ended ??= { error };
      bell.ring();
    },
    take: async (signal) => {
      while (!signal.aborted) {
        const next = waiting.shift();
        if (next) {
          characters -= next.characters;
          return next.batch;
        }
        if (ended?.error) throw ended.error;
        if (ended) return null;
        await bell.until(() => waiting.length > 0 || ended !== null, signal);
      }
      return null;
    },
  };
}
