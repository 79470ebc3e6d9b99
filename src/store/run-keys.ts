import { LRUCache } from 'lru-cache';
import type { Store } from './store.ts';

/** A run's key, the small number that its events refer to, and its workspace. */
export interface RunKey {
  readonly key: number;
  readonly workspace: string;
}

/** Finds the keys of runs by their ids. */
export interface RunKeys {
  find(workspace: string, id: string): Promise<RunKey | null>;
}

const REMEMBERED_RUNS = 50_000;

/** Caches the keys of runs, up to 50,000. Runs are never deleted and keys never change: nothing expires. */
export function createRunKeys(store: Store): RunKeys {
  const known = new LRUCache<string, RunKey>({ max: REMEMBERED_RUNS });
  return {
    find: async (workspace, id) => {
      // Ids contain no slash, so that runs of two workspaces cannot be confused.
      const name = `${workspace}/${id}`;
      const remembered = known.get(name);
      if (remembered) return remembered;
      const run = await store.findRun(workspace, id);
      if (!run) return null;
      const found = { key: run.key, workspace };
      known.set(name, found);
      return found;
    },
  };
}
