import { setImmediate as nextTurn } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import type { Page, Store } from '../store/store.ts';
import { heldBytes } from './held-bytes.ts';
import type { FeedLimits } from './limits.ts';
import { withPatience } from './patience.ts';
import { createPlaces } from './places.ts';

/** History, read once for all who stand at the same place or a little behind one another. */
export interface Pages {
  /** A cached page that has what follows the cursor. It may begin before it. */
  find(run: number, cursor: number): Page | undefined;
  /**
   * The same, or else a page read from the store, which is empty where nothing follows; waits for a store that is
   * down as long as the limits say.
   */
  read(run: number, cursor: number): Promise<Page>;
}

/** Makes the shared pages of a feed. `closing` ends reads that wait. */
export function createPages(store: Store, limits: FeedLimits, closing: AbortSignal): Pages {
  const size = { maxEvents: limits.pageEvents, maxBytes: limits.pageBytes };
  const reading = createPlaces<Promise<Page>>();
  const starts = createPlaces<Page>();
  const cached = new LRUCache<string, { readonly run: number; readonly start: number; readonly page: Page }>({
    maxSize: limits.cachedPageBytes,
    sizeCalculation: ({ page }) => page.events.reduce((sum, event) => sum + heldBytes(event), 1),
    dispose: ({ run, start, page }) => starts.delete(run, start, page),
  });

  function find(run: number, cursor: number): Page | undefined {
    const nearest = starts.nearest(run, cursor);
    if (!nearest || nearest.value.events.at(-1)!.seq <= cursor) return undefined;
    // Asked for so that it stays.
    cached.get(`${run}:${nearest.start}`);
    return nearest.value;
  }

  async function readOnce(run: number, start: number): Promise<Page> {
    const read = withPatience(() => readNow(run, start), limits.patienceMs, closing);
    reading.set(run, start, read);
    try {
      const page = await read;
      if (page.events.length > 0) {
        cached.set(`${run}:${start}`, { run, start, page });
        if (cached.has(`${run}:${start}`)) starts.set(run, start, page);
      }
      return page;
    } finally {
      reading.delete(run, start, read);
    }
  }

  async function readNow(run: number, start: number): Promise<Page> {
    // The embedded store answers without leaving the turn, and so may a socket: without this a reader that is far
    // behind would keep everybody else waiting until it has caught up.
    await nextTurn();
    const page = await store.readPage(run, start, size);
    if (!page) throw new Error(`run ${run} is not there`);
    return page;
  }

  return {
    find,
    read: async (run, cursor) => {
      const known = find(run, cursor);
      if (known) return known;
      const underWay = reading.nearest(run, cursor);
      // Clients that come back after a restart stand a few events apart: whoever reads first reads for those ahead.
      if (underWay && cursor - underWay.start < limits.pageEvents) {
        const page = await underWay.value;
        if (underWay.start === cursor || (page.events.at(-1)?.seq ?? -1) > cursor) return page;
      }
      return reading.get(run, cursor) ?? readOnce(run, cursor);
    },
  };
}
