import { setTimeout as sleep } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';

/** How often one action on one object may be asked for. */
export interface Rate {
  readonly intervalMs: number;
  /** So many at once after a rest. */
  readonly burst: number;
}

/** Waits so that a rate is kept. */
export interface Rates {
  /**
   * Resolves to null when the next request under this key may be sent. A wait of more than `maxWaitMs` is not even
   * begun: it resolves to its length at once. Rejects when the signal aborts first.
   */
  turn(key: string, rate: Rate, maxWaitMs: number, signal: AbortSignal): Promise<number | null>;
}

/** One forgotten has been at rest for long, or there are more objects than anybody polls. */
const REMEMBERED = 10_000;

/** Token buckets, kept as the moment at which each will be full again: no timers, nothing to close. */
export function createRates(): Rates {
  const fullAt = new LRUCache<string, number>({ max: REMEMBERED });
  return {
    async turn(key, { intervalMs, burst }, maxWaitMs, signal) {
      const now = performance.now();
      const full = Math.max(fullAt.get(key) ?? now, now) + intervalMs;
      const wait = full - now - burst * intervalMs;
      // Whoever does not wait takes no place from those who do.
      if (wait > maxWaitMs) return wait;
      fullAt.set(key, full);
      if (wait > 0) await sleep(wait, undefined, { signal });
      return null;
    },
  };
}
