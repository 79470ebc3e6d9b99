import { setTimeout as sleep } from 'node:timers/promises';
import type { Store } from '../../src/store/store.ts';

/** How often each read method was called. */
export interface Reads {
  pages: number;
  heads: number;
  runs: number;
}

/**
 * Counts a store's reads. Each read takes some milliseconds, as over a network, so that concurrent readers of
 * the same data show whether they share it.
 */
export function countingStore(): { readonly wrap: (store: Store) => Store; readonly reads: Reads } {
  const reads: Reads = { pages: 0, heads: 0, runs: 0 };
  const counted =
    <Request extends unknown[], Answer>(kind: keyof Reads, read: (...request: Request) => Promise<Answer>) =>
    async (...request: Request): Promise<Answer> => {
      reads[kind] += 1;
      await sleep(3);
      return read(...request);
    };
  return {
    reads,
    wrap: (store) => ({
      ...store,
      readPage: counted('pages', store.readPage),
      readHeads: counted('heads', store.readHeads),
      findRun: counted('runs', store.findRun),
    }),
  };
}
