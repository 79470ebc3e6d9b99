import { getHeapStatistics } from 'node:v8';

/** How much a process takes on at once, over all clients together. */
export interface Totals {
  /** Bytes of requests that are arriving or being answered. Above this, requests are refused with OVERLOADED. */
  readonly requestBytes: number;
  /** Bytes of events and texts in answers that are being made. Above this, operations are refused with OVERLOADED. */
  readonly answerBytes: number;
  /** Bytes of answers that wait to be read. Above this, the connections that read least are cut. */
  readonly unreadBytes: number;
  /** Bytes of events that wait for a commit. Above this, batches are refused with OVERLOADED. */
  readonly ingestBytes: number;
  /** Bytes of stored history that the feed keeps for its next reader. */
  readonly feedCacheBytes: number;
  /** Bytes of the newest events that the feed keeps of followed runs. */
  readonly feedRingBytes: number;
  /** Bytes of written payloads that feeds keep for the next subscriber with the same selection. */
  readonly sharedPayloadBytes: number;
  /** Bytes of the open subscriptions of sockets, without each socket's first. Above this, one is refused with OVERLOADED. */
  readonly subscriptionBytes: number;
  /** Open connections. Above this, a new one is closed at once. */
  readonly connections: number;
}

const MiB = 1024 * 1024;
/** A connection with one subscription takes less than this. */
const BYTES_PER_CONNECTION = 64 * 1024;

/**
 * Derives every total from the size that the heap may reach, in bytes (`v8.getHeapStatistics().heap_size_limit`), so
 * that a process with a small heap refuses work instead of running out of memory. By default for this process.
 */
export function totalsOf(heapBytes: number = getHeapStatistics().heap_size_limit): Totals {
  return {
    // A request of text outside Latin-1 is held three times while it is stored, with two bytes for each character.
    requestBytes: Math.floor(heapBytes / 8),
    // What an answer reads is held about four times: the row, its parsed value, the JSON text and the buffer to write.
    answerBytes: Math.floor(heapBytes / 16),
    unreadBytes: Math.floor(heapBytes / 8),
    ingestBytes: Math.min(64 * MiB, Math.floor(heapBytes / 8)),
    feedCacheBytes: Math.min(44 * MiB, Math.floor(heapBytes / 24)),
    feedRingBytes: Math.min(64 * MiB, Math.floor(heapBytes / 16)),
    sharedPayloadBytes: Math.floor(heapBytes / 64),
    subscriptionBytes: Math.floor(heapBytes / 4),
    connections: Math.floor(heapBytes / BYTES_PER_CONNECTION),
  };
}
