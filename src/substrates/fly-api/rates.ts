import { setTimeout as sleep } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';

/** How often one action on one object may be requested. */
export interface Rate {
  readonly intervalMs: number;
  /** The most requests at once after a rest. */
  readonly burst: number;
}

/** Makes requests wait so that a rate is kept. */
export interface Rates {
  /**
   * Resolves to null when the next request under this key may be sent. If that would take more than
   * `maxWaitMs`, resolves to the milliseconds at once instead of waiting. Rejects if the signal aborts first.
   */
  turn(key: string, rate: Rate, maxWaitMs: number, signal: AbortSignal): Promise<number | null>;
}

/** A forgotten object has been at rest for long, or there are more objects than any server polls. */
const REMEMBERED = 10_000;

/** Creates token buckets, each kept as the moment when it will be full again: no timers, nothing to close. */
export function createRates(): Rates {
  const fullAt = new LRUCache<string, number>({ max: REMEMBERED });
  return {
    async turn(key, { intervalMs, burst }, maxWaitMs, signal) {
      const now = performance.now();
      const full = Math.max(fullAt.get(key) ?? now, now) + intervalMs;
      const wait = full - now - burst * intervalMs;
      // A request that does not wait takes no place from those that do.
      if (wait > maxWaitMs) return wait;
      fullAt.set(key, full);
      if (wait > 0) await sleep(wait, undefined, { signal });
      return null;
    },
  };
}
