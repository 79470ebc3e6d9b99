import type { JobStore } from '../../src/store/jobs.ts';
import type { Store } from '../../src/store/store.ts';

/** Numbers of statements about jobs and of commits of events. */
export interface JobCalls {
  readonly reads: number;
  readonly writes: number;
}

/** Returns the store wrapped with a counter, and the counts so far. */
export function countCalls(store: Store): { readonly store: Store; readonly calls: JobCalls } {
  const calls = { reads: 0, writes: 0 };
  const { jobs } = store;
  const counted: JobStore = {
    ...jobs,
    read: (runs) => {
      calls.reads += 1;
      return jobs.read(runs);
    },
    nextDue: (host) => {
      calls.reads += 1;
      return jobs.nextDue(host);
    },
    // A lease writes and then reads the leased jobs.
    lease: (request) => {
      calls.writes += 1;
      calls.reads += 1;
      return jobs.lease(request);
    },
    save: (...change) => {
      calls.writes += 1;
      return jobs.save(...change);
    },
    renew: (...lease) => {
      calls.writes += 1;
      return jobs.renew(...lease);
    },
    giveBack: (...given) => {
      calls.writes += 1;
      return jobs.giveBack(...given);
    },
  };
  const commit: Store['commit'] = (appends) => {
    calls.writes += 1;
    return store.commit(appends);
  };
  return { store: { ...store, jobs: counted, commit }, calls };
}
