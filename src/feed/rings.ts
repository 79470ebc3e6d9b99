import { LRUCache } from 'lru-cache';
import type { Chunk } from '../wakeups/plane.ts';
import { createRing, type Ring, type RingLimits } from './ring.ts';

/** The limits of all rings of a process. */
export interface RingsLimits extends RingLimits {
  /** Bytes of memory over all rings. */
  readonly totalBytes: number;
}

/** The rings of all followed runs, which share one memory limit. */
export interface Rings {
  /** Creates an empty ring for a log that ends at `end`. */
  open(end: number): Ring;
  /**
   * Appends a committed chunk to a ring. If the total exceeds its limit, the rings whose last chunk is oldest
   * are emptied. Readers that keep up have read those chunks; the others read pages of the store instead.
   */
  take(ring: Ring, chunk: Chunk): void;
  /** Empties a ring that has no readers left. */
  release(ring: Ring): void;
  /** Returns the bytes of memory that all rings hold now. */
  heldBytes(): number;
}

/** Creates the rings of a process. */
export function createRings({ totalBytes, maxEvents, maxBytes }: RingsLimits): Rings {
  // No single ring exceeds the total, so emptying other rings always frees enough memory.
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
      // The cache accepts a new size only with a new entry.
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
