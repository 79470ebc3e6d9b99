import { setTimeout as sleep } from 'node:timers/promises';
import type { Store } from '../../src/store/store.ts';

/** How often each way of reading was used. */
export interface Reads {
  pages: number;
  heads: number;
  runs: number;
}

/**
 * Counts a store's reads, each of which takes some milliseconds as over a network: readers that ask for the same
 * meanwhile show whether they share.
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
