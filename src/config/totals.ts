import { getHeapStatistics } from 'node:v8';

/** How much a process handles at once, across all clients. */
export interface Totals {
  /**
   * Bytes of requests that are arriving or being answered. Above this, requests are refused with OVERLOADED.
   */
  readonly requestBytes: number;
  /** Bytes of events and texts in answers in progress. Above this, operations are refused with OVERLOADED. */
  readonly answerBytes: number;
  /** Bytes of answers that wait to be read. Above this, the connections that read least are cut. */
  readonly unreadBytes: number;
  /** Bytes of events that wait for a commit. Above this, batches are refused with OVERLOADED. */
  readonly ingestBytes: number;
  /** Bytes of stored history that the feed caches for the next reader. */
  readonly feedCacheBytes: number;
  /** Bytes of the newest events of followed runs that the feed keeps. */
  readonly feedRingBytes: number;
  /** Bytes of encoded payloads that feeds keep for the next subscriber with the same selection. */
  readonly sharedPayloadBytes: number;
  /** Bytes of changed runs' rows that wait to be compared with the filters of `runUpdated`. */
  readonly changedRowBytes: number;
  /**
   * Bytes of open subscriptions, without what counts as part of their connections. Above this, the connections that
   * hold the most are cut for those that hold less, and a new one of any other is refused with OVERLOADED.
   */
  readonly subscriptionBytes: number;
  /** Bytes that were parsed for operations in progress. Above this, operations are refused with OVERLOADED. */
  readonly pendingBytes: number;
  /** Open connections. Above this, a new one is closed at once. */
  readonly connections: number;
}

const MiB = 1024 * 1024;
/** The memory assumed per connection. A connection with one subscription takes less. */
const BYTES_PER_CONNECTION = 64 * 1024;

/**
 * V8's young generation in bytes by default: three semi-spaces. What is held for longer than a moment does not stay
 * there, but `heap_size_limit` includes it: 320 MiB for `--max-old-space-size=128` on Node 24.
 */
const YOUNG_GENERATION_BYTES = (Number.parseInt(process.versions.v8, 10) >= 13 ? 192 : 48) * MiB;

/**
 * Derives every total from the size in bytes of the heap for what is held, by default this process's, so that a
 * process with a small heap refuses work instead of running out of memory.
 */
export function totalsOf(heapBytes: number = heldHeapBytes()): Totals {
  return {
    // A request with text outside Latin-1 is held three times while it is stored, at two bytes per character.
    requestBytes: Math.floor(heapBytes / 8),
    // What an answer reads is held about four times: the row, its parsed value, the JSON text and the buffer
    // to write.
    answerBytes: Math.floor(heapBytes / 16),
    unreadBytes: Math.floor(heapBytes / 8),
    ingestBytes: Math.min(64 * MiB, Math.floor(heapBytes / 8)),
    feedCacheBytes: Math.min(44 * MiB, Math.floor(heapBytes / 24)),
    feedRingBytes: Math.min(64 * MiB, Math.floor(heapBytes / 16)),
    sharedPayloadBytes: Math.floor(heapBytes / 64),
    changedRowBytes: Math.min(32 * MiB, Math.floor(heapBytes / 64)),
    subscriptionBytes: Math.floor(heapBytes / 4),
    pendingBytes: Math.floor(heapBytes / 8),
    connections: Math.floor(heapBytes / BYTES_PER_CONNECTION),
  };
}

/** At least half of the limit: `--max-semi-space-size` may make the young generation smaller. */
function heldHeapBytes(): number {
  const limit = getHeapStatistics().heap_size_limit;
  return Math.max(limit - YOUNG_GENERATION_BYTES, limit / 2);
}
