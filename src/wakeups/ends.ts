import { LRUCache } from 'lru-cache';
import { rested } from '../lib/waiting/rested.ts';
import type { EndedPlace, Store } from '../store/store.ts';
import type { ServerPlane } from './plane.ts';

/** How often the ends of runs are read, in milliseconds. */
const LOOK_MS = 4_000;
/**
 * How far before the last look an end is still looked for, and how far after this one, in milliseconds: a commit may
 * become visible late, and its server's clock may be ahead of the database's.
 */
const MARGIN_MS = 10_000;
const ENDS_PER_PAGE = 1_000;
/** Unknown ends after which a look stops, as after a long outage. The next look goes on from there. */
const MAX_SUSPECTS = 5_000;
/** Known ends. One that is forgotten within the margin is delivered again, which a wake may be. */
const MAX_KNOWN = 50_000;

/** Options of {@link watchEnds}. */
export interface EndsOptions {
  readonly store: Pick<Store, 'readClock' | 'readEnded'>;
  readonly wakeups: Pick<ServerPlane, 'deliver' | 'listenToAll'>;
}

/**
 * Finds the ends of runs whose wake was lost on its way to this process, and delivers them here. An ended run does not
 * change again, so no later wake would make up for the lost one. An end is delivered if no wake has announced it by the
 * look after the one that found it: 4 to 8 s after the end, or after the store is available again.
 */
export async function watchEnds({ store, wakeups }: EndsOptions): Promise<{ close(): Promise<void> }> {
  const known = new LRUCache<number, true>({ max: MAX_KNOWN });
  const closing = new AbortController();
  const { signal } = closing;
  const startedAt = performance.now();
  /** The database's time up to which ends were read. */
  let lookedAt: number | null = null;
  /** The ends that the last look found and no wake had announced, as run keys with their workspaces. */
  let suspects = new Map<number, string>();

  const unlisten = await wakeups.listenToAll(({ run, kind }) => {
    if (kind === 'ended') known.set(run, true);
  });

  async function look(): Promise<void> {
    const now = await store.readClock();
    if (signal.aborted) return;
    deliverSuspects();
    const { found, reached } = await readUnknown(lookedAt ?? now - (performance.now() - startedAt), now);
    suspects = found;
    lookedAt = reached;
  }

  function deliverSuspects(): void {
    const missed = [...suspects].filter(([run]) => !known.get(run));
    suspects = new Map();
    wakeups.deliver(
      missed.map(([run, workspace]) => ({ run, workspace, kind: 'ended', lastSeq: -1, chunk: null })),
    );
  }

  /** Reads the ends of which no wake has told, in the order of their times, up to `now` or up to the limit. */
  async function readUnknown(from: number, now: number) {
    const found = new Map<number, string>();
    let after: EndedPlace = { endedAt: Math.floor(from) - MARGIN_MS, key: 0 };
    for (;;) {
      const ends = await store.readEnded(after, now + MARGIN_MS, ENDS_PER_PAGE);
      for (const { key, workspace } of ends) if (!known.get(key)) found.set(key, workspace);
      const last = ends.at(-1);
      if (!last || ends.length < ENDS_PER_PAGE || signal.aborted) return { found, reached: now };
      if (found.size >= MAX_SUSPECTS) return { found, reached: Math.min(now, last.endedAt) };
      after = last;
    }
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
