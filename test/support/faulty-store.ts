import type { Append, Store } from '../../src/store/store.ts';
import { StoreUnavailable } from '../../src/store/unavailable.ts';

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

/** A store that a test can make unavailable. */
export interface CuttableStore {
  readonly store: Store;
  /** Lets every call fail until `heal`. */
  cut(): void;
  heal(): void;
  /** Returns how many commits have failed because the store was cut off. */
  failedCommits(): number;
}

/** Wraps a store whose connection a test cuts, as one process of several may lose it. */
export function cuttableStore(store: Store): CuttableStore {
  let isCut = false;
  let failedCommits = 0;

  function guarded<Calls extends object>(calls: Calls): Calls {
    return new Proxy(calls, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        return async (...args: unknown[]): Promise<unknown> => {
          if (!isCut) return Reflect.apply(value, target, args);
          if (name === 'commit') failedCommits += 1;
          throw new StoreUnavailable('the connection was cut');
        };
      },
    });
  }

  return {
    store: guarded({ ...store, nativeRuns: guarded(store.nativeRuns) }),
    cut: () => {
      isCut = true;
    },
    heal: () => {
      isCut = false;
    },
    failedCommits: () => failedCommits,
  };
}
