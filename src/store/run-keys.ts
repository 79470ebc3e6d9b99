import { LRUCache } from 'lru-cache';
import type { Store } from './store.ts';

/** A run by the small number that its events refer to. */
export interface RunKey {
  readonly key: number;
  readonly workspace: string;
}

/** Finds runs by their ids. */
export interface RunKeys {
  find(workspace: string, id: string): Promise<RunKey | null>;
}

const REMEMBERED_RUNS = 50_000;

/** Remembers runs that were found: a run never goes and never changes its key, so what was true stays true. */
export function createRunKeys(store: Store): RunKeys {
  const known = new LRUCache<string, RunKey>({ max: REMEMBERED_RUNS });
  return {
    find: async (workspace, id) => {
      // Ids have no slash, so that two workspaces' runs cannot be taken for each other.
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
