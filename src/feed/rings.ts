import { LRUCache } from 'lru-cache';
import type { Chunk } from '../wakeups/plane.ts';
import { createRing, type Ring, type RingLimits } from './ring.ts';

/** How much all rings of a process keep. */
export interface RingsLimits extends RingLimits {
  /** Bytes of memory over all rings. */
  readonly totalBytes: number;
}

/** The rings of all followed runs, which together hold no more than a total. */
export interface Rings {
  /** An empty ring at the end of a log. */
  open(end: number): Ring;
  /**
   * Puts a committed chunk into a ring. Where the total has no room for it, the rings whose last chunk came longest ago
   * are emptied. Readers that keep up have read those chunks; the others read pages of the store instead.
   */
  take(ring: Ring, chunk: Chunk): void;
  /** Empties a ring that nobody reads any more. */
  release(ring: Ring): void;
  /** Bytes of memory that they hold now. */
  heldBytes(): number;
}

/** Makes the rings of a process. */
export function createRings({ totalBytes, maxEvents, maxBytes }: RingsLimits): Rings {
  // No ring alone is above the total, so emptying others always makes enough room.
  const limits = { maxEvents, maxBytes: Math.min(maxBytes, totalBytes) };
  const holding = new LRUCache<Ring, Ring>({
    maxSize: totalBytes,
    dispose: (ring, _key, reason) => {
      if (reason === 'evict') ring.clear();
    },
  });
  return {
    open: (end) => createRing(end, limits),
    take: (ring, chunk) => {
      ring.take(chunk);
      // The cache takes a new size only with a new entry.
      holding.delete(ring);
      const size = ring.bytes();
      if (size > 0) holding.set(ring, ring, { size });
    },
    release: (ring) => {
      holding.delete(ring);
      ring.clear();
    },
    heldBytes: () => holding.calculatedSize,
  };
}
