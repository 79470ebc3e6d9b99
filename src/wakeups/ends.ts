import { LRUCache } from 'lru-cache';
import { rested } from '../lib/waiting/rested.ts';
import type { EndedPlace, Store } from '../store/store.ts';
import type { ServerPlane } from './plane.ts';

/** How often the ends of runs are read, in milliseconds. */
const LOOK_MS = 5_000;
/**
 * How far before the last look an end is still looked for, and how far after this one, in milliseconds: a commit may
 * become visible late, and its server's clock may be ahead of the database's.
 */
const MARGIN_MS = 10_000;
const ENDS_PER_PAGE = 1_000;
/** Known ends. One that is forgotten within the margin is told again, which a wake may be. */
const MAX_KNOWN = 50_000;

/** Options of {@link watchEnds}. */
export interface EndsOptions {
  readonly store: Pick<Store, 'readClock' | 'readEnded'>;
  readonly wakeups: Pick<ServerPlane, 'deliver' | 'listenToAll'>;
}

/**
 * Finds the ends of runs whose wake was lost on its way to this process, and delivers them here. Nothing else follows an
 * end, so whoever waits for one without reading the run itself would wait for ever. An end is delivered if two looks in a
 * row find it and no wake has come: 5 to 10 s after it, or after the store is available again.
 */
export async function watchEnds({ store, wakeups }: EndsOptions): Promise<{ close(): Promise<void> }> {
  const known = new LRUCache<number, true>({ max: MAX_KNOWN });
  const closing = new AbortController();
  const { signal } = closing;
  let lookedAt: number | null = null;
  let suspects = new Set<number>();

  const unlisten = await wakeups.listenToAll(({ run, kind }) => {
    if (kind === 'ended') known.set(run, true);
  });

  async function look(): Promise<void> {
    const now = await store.readClock();
    const found = new Set<number>();
    let after: EndedPlace = { endedAt: (lookedAt ?? now) - MARGIN_MS, key: 0 };
    for (;;) {
      const ends = await store.readEnded(after, now + MARGIN_MS, ENDS_PER_PAGE);
      if (signal.aborted) return;
      const missed = ends.filter(({ key }) => !known.get(key));
      for (const { key } of missed) found.add(key);
      const sure = missed.filter(({ key }) => suspects.has(key));
      wakeups.deliver(
        sure.map(({ key: run, workspace }) => ({ run, workspace, kind: 'ended', lastSeq: -1, chunk: null })),
      );
      const last = ends.at(-1);
      if (!last || ends.length < ENDS_PER_PAGE) break;
      after = last;
    }
    suspects = found;
    lookedAt = now;
  }

  async function watch(): Promise<void> {
    // A store that fails is looked at again, from where the last look succeeded. Its trouble is told elsewhere.
    do await look().catch(() => {});
    while (await rested(LOOK_MS, signal));
  }

  const watching = watch();
  return {
    close: async () => {
      closing.abort();
      unlisten();
      await watching;
    },
  };
}
