import { type Append, type Store, StoreUnavailable } from '../../src/store/store.ts';

/** How a commit fails: the statement is refused, or the connection is lost before or after it. */
export type CommitFault = 'refused' | 'lost before' | 'lost after';

/**
 * Wraps a store so that some commits fail. `faultOf` is called before each commit. Everything else is
 * unchanged.
 */
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
