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
  /** Resolves when the next request under this key may be sent; rejects when the signal aborts first. */
  turn(key: string, rate: Rate, signal: AbortSignal): Promise<void>;
}

/** One forgotten has been at rest for long, or there are more objects than anybody polls. */
const REMEMBERED = 10_000;

/** Token buckets, kept as the moment at which each will be full again: no timers, nothing to close. */
export function createRates(): Rates {
  const fullAt = new LRUCache<string, number>({ max: REMEMBERED });
  return {
    async turn(key, { intervalMs, burst }, signal) {
      const now = performance.now();
      const full = Math.max(fullAt.get(key) ?? now, now) + intervalMs;
      fullAt.set(key, full);
      const wait = full - now - burst * intervalMs;
      if (wait > 0) await sleep(wait, undefined, { signal });
    },
  };
}
