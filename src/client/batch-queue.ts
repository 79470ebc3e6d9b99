import { createBell } from '../lib/bell.ts';
import type { FeedBatch } from './feed.ts';

/** So much of what has arrived may wait to be read, in characters of JSON; one batch alone may be longer. */
const MAX_CHARACTERS = 4 * 1024 * 1024;
/** And so many batches: an empty one holds memory, too. */
const MAX_BATCHES = 1_024;

/** What a websocket has brought and nobody has read yet. */
export interface BatchQueue {
  /** Adds a batch that came as so many characters. False: the queue is full and the batch is not in it. */
  push(batch: FeedBatch, characters: number): boolean;
  /** Nothing follows but, with an error, that. Only the first call counts. */
  end(error: Error | null): void;
  /** The next batch; null at the end or once the signal aborts. Throws the error that the queue ended with. */
  take(signal: AbortSignal): Promise<FeedBatch | null>;
}

/** An empty queue. A websocket cannot be held back, hence the bound: past it one comes back by the cursor. */
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
