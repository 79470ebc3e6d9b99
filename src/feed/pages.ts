import { LRUCache } from 'lru-cache';
import { createLanes } from '../lib/waiting/lanes.ts';
import type { Page, Store } from '../store/store.ts';
import { heldBytes } from './held-bytes.ts';
import type { FeedLimits } from './limits.ts';
import { withPatience } from './patience.ts';
import { createPlaces } from './places.ts';

/** Pages of history. One read serves all readers at the same place or slightly apart. */
export interface Pages {
  /** Returns a cached page with the events after the cursor. The page may begin before the cursor. */
  find(run: number, cursor: number): Page | undefined;
  /**
   * Returns such a page, or else reads one from the store, which is empty if no event follows. Waits up to
   * `patienceMs` for a store that is down. Owners take turns.
   */
  read(run: number, cursor: number, owner: object): Promise<Page>;
}

/** Concurrent reads of a store that answers asynchronously. The embedded store reads synchronously. */
const READS_AT_ONCE = 8;

/** Creates the shared pages of a feed. `closing` ends reads that wait. */
export function createPages(store: Store, limits: FeedLimits, closing: AbortSignal): Pages {
  const size = { maxEvents: limits.pageEvents, maxBytes: limits.pageBytes };
  const lanes = createLanes({
    lanes: store.dialect === 'sqlite' ? 1 : READS_AT_ONCE,
    costPerTurn: limits.readBytesPerTurn,
  });
  const reading = createPlaces<Promise<Page>>();
  const starts = createPlaces<Page>();
  const cached = new LRUCache<string, { readonly run: number; readonly start: number; readonly page: Page }>({
    maxSize: limits.cachedPageBytes,
    dispose: ({ run, start, page }) => starts.delete(run, start, page),
  });

  function find(run: number, cursor: number): Page | undefined {
    const nearest = starts.nearest(run, cursor);
    if (!nearest || nearest.value.events.at(-1)!.seq <= cursor) return undefined;
    // Marks the page as recently used, so that it stays in the cache.
    cached.get(`${run}:${nearest.start}`);
    return nearest.value;
  }

  async function readOnce(run: number, start: number, owner: object): Promise<Page> {
    const read = withPatience(() => readInTurn(run, start, owner), limits.patienceMs, closing);
    reading.set(run, start, read);
    try {
      return await read;
    } finally {
      reading.delete(run, start, read);
    }
  }

  /** The embedded store reads synchronously: without turns, readers far behind would block others. */
  async function readInTurn(run: number, start: number, owner: object): Promise<Page> {
    let bytes = 0;
    const page = await lanes.run(
      owner,
      () => store.readPage(run, start, size),
      (page) => {
        // Counted only once, because long strings are scanned for it.
        bytes = page ? bytesOf(page) : 0;
        return bytes;
      },
    );
    if (!page) throw new Error(`run ${run} does not exist`);
    if (page.events.length > 0) keep(run, start, page, bytes);
    return page;
  }

  function keep(run: number, start: number, page: Page, bytes: number): void {
    const key = `${run}:${start}`;
    cached.set(key, { run, start, page }, { size: bytes });
    if (cached.has(key)) starts.set(run, start, page);
  }

  return {
    find,
    read: async (run, cursor, owner) => {
      const known = find(run, cursor);
      if (known) return known;
      const underWay = reading.nearest(run, cursor);
      // Clients that reconnect after a restart are a few events apart: the first read serves those ahead of
      // it.
      if (underWay && cursor - underWay.start < limits.pageEvents) {
        const page = await underWay.value;
        if (underWay.start === cursor || (page.events.at(-1)?.seq ?? -1) > cursor) return page;
      }
      return reading.get(run, cursor) ?? readOnce(run, cursor, owner);
    },
  };
}

function bytesOf({ events }: Page): number {
  return events.reduce((sum, event) => sum + heldBytes(event), 1);
}
