import { setImmediate as nextTurn } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import type { Page, Store } from '../store/store.ts';
import type { FeedLimits } from './limits.ts';
import { withPatience } from './patience.ts';

/** Roughly what an event weighs beside its data. */
const EVENT_OVERHEAD_BYTES = 200;

/** History, read once for all who stand at the same place. */
export interface Pages {
  /** The cached page that begins after `start`, if it has something after `cursor`. */
  find(run: number, start: number, cursor: number): Page | undefined;
  /** The page after `start`, read unless it is cached; waits for a store that is down as long as the limits say. */
  read(run: number, start: number): Promise<Page>;
}

/** Makes the shared pages of a feed. `closing` ends reads that wait. */
export function createPages(store: Store, limits: FeedLimits, closing: AbortSignal): Pages {
  const size = { maxEvents: limits.pageEvents, maxBytes: limits.pageBytes };
  const reading = new Map<string, Promise<Page>>();
  const cached = new LRUCache<string, Page>({
    maxSize: limits.cachedPageBytes,
    sizeCalculation: ({ events }) =>
      events.reduce((sum, event) => sum + event.data.length + EVENT_OVERHEAD_BYTES, 1),
  });

  async function readNow(run: number, start: number): Promise<Page> {
    // The embedded store answers without leaving the turn, and so may a socket: without this a reader that is far
    // behind would keep everybody else waiting until it has caught up.
    await nextTurn();
    const page = await store.readPage(run, start, size);
    if (!page) throw new Error(`run ${run} is not there`);
    return page;
  }

  return {
    find: (run, start, cursor) => {
      const page = cached.get(`${run}:${start}`);
      return page && page.events.at(-1)!.seq > cursor ? page : undefined;
    },
    read: async (run, start) => {
      const key = `${run}:${start}`;
      const known = cached.get(key);
      if (known) return known;
      const shared = reading.get(key);
      if (shared) return shared;
      const read = withPatience(() => readNow(run, start), limits.patienceMs, closing);
      reading.set(key, read);
      try {
        const page = await read;
        if (page.events.length > 0) cached.set(key, page);
        return page;
      } finally {
        reading.delete(key);
      }
    },
  };
}
