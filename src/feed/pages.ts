import { LRUCache } from 'lru-cache';
import { createLanes } from '../lib/lanes.ts';
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
   * down as long as the limits say. Owners take turns.
   */
  read(run: number, cursor: number, owner: object): Promise<Page>;
}

/** Reads at once of a store that answers later. The embedded one reads in the call. */
const READS_AT_ONCE = 8;

/** Makes the shared pages of a feed. `closing` ends reads that wait. */
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
    // Asked for so that it stays.
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

  /** The embedded store reads in the call: without turns, readers that are far behind would keep others waiting. */
  async function readInTurn(run: number, start: number, owner: object): Promise<Page> {
    let bytes = 0;
    const page = await lanes.run(
      owner,
      () => store.readPage(run, start, size),
      (page) => {
        // Counted once: long texts are looked through for it.
        bytes = page ? bytesOf(page) : 0;
        return bytes;
      },
    );
    if (!page) throw new Error(`run ${run} is not there`);
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
      // Clients that come back after a restart stand a few events apart: whoever reads first reads for those ahead.
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
