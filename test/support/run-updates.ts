import { setMaxListeners } from 'node:events';
import { onTestFinished } from 'vitest';
import type { UpdatedRun } from '../../src/graphql/runs/row.ts';
import { createRunUpdates, RUN_UPDATE_LIMITS } from '../../src/graphql/runs/updates.ts';
import type { RunListFilter } from '../../src/store/lists.ts';
import type { Store } from '../../src/store/store.ts';
import { createLocalPlane } from '../../src/wakeups/local.ts';
import type { Wake } from '../../src/wakeups/plane.ts';

/** Matches every run. */
export const ALL: RunListFilter = {
  workspace: 'default',
  providers: null,
  ended: null,
  jobStatuses: null,
  createdFrom: null,
  createdBefore: null,
  labels: {},
  words: [],
};

/** Creates run updates over rows in memory, and counts the reads. */
export function startUpdates(limits = {}) {
  const plane = createLocalPlane();
  const rows = new Map<number, UpdatedRun>();
  const reads: number[][] = [];
  let listeners = 0;
  const catalog = {
    run: {
      findMany: async ({ where }: { where: { key: { in: number[] } } }) => {
        reads.push(where.key.in);
        return where.key.in.flatMap((key) => rows.get(key) ?? []);
      },
    },
  };
  const listening: typeof plane = {
    ...plane,
    listenToAll: async (listener) => {
      const stop = await plane.listenToAll(listener);
      listeners += 1;
      return () => {
        listeners -= 1;
        stop();
      };
    },
  };
  const updates = createRunUpdates({ catalog } as unknown as Pick<Store, 'catalog'>, listening, {
    ...RUN_UPDATE_LIMITS,
    ...limits,
  });
  const ends = new Set<number>();
  let titles = 0;
  type Kind = Wake['kind'];
  function change(key: number, lastSeq: number, kind: Kind = 'created', title: string | null = null): void {
    const row = { key, workspace: 'default', provider: 'openai', createdAt: 0n, labels: {} };
    const endedAt = ends.has(key) || kind === 'ended' ? 1n : null;
    if (endedAt) ends.add(key);
    const changed = { ...row, endedAt, job: null, lastSeq: BigInt(lastSeq) };
    const counted = {
      get: () => {
        titles += 1;
        return title;
      },
    };
    rows.set(key, Object.defineProperty(changed, 'title', counted) as unknown as UpdatedRun);
    plane.publish([{ run: key, workspace: 'default', kind, lastSeq, chunk: null }]);
  }
  const leaving = new AbortController();
  setMaxListeners(0, leaving.signal);
  onTestFinished(() => leaving.abort());
  const open = async (filter = ALL, connection?: object) => {
    const reader = await updates.open(filter, connection, leaving.signal);
    if (!reader) throw new Error('it was left');
    return reader;
  };
  return { open, change, reads, listeners: () => listeners, titles: () => titles };
}
