import { type Append, type Store, StoreUnavailable } from '../../src/store/store.ts';

/** What happens to a commit: the statement fails; the connection goes before it; the connection goes after it. */
export type CommitFault = 'refused' | 'lost before' | 'lost after';

/** A store some of whose commits fail: `faultOf` is asked before each. Everything else is the store's own. */
export function failingCommits(
  store: Store,
  faultOf: (appends: readonly Append[]) => CommitFault | null,
): Store {
  return {
    ...store,
    commit: async (appends) => {
      const fault = faultOf(appends);
      if (fault === 'refused') throw new Error('the statement was refused');
      if (fault === 'lost before') throw new StoreUnavailable('the connection was lost');
      const stored = await store.commit(appends);
      if (fault === 'lost after') throw new StoreUnavailable('the connection was lost');
      return stored;
    },
  };
}
