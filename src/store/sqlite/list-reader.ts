import type { ListStore } from '../lists.ts';
import { StoreUnavailable } from '../store.ts';
import { startThread } from './thread.ts';

/** Readings that may wait at once; each holds no more than its filter and its page. */
const MAX_READINGS = 1_000;

/** The lists of the embedded store, read in a thread. */
export interface ListReader extends ListStore {
  close(): Promise<void>;
}

/**
 * Starts the reading thread on a migrated file. What no index answers, such as a word of a title, looks at every run:
 * some 100 ms for 200,000 of them, in which the loop would stand still.
 */
export async function startListReader(file: string): Promise<ListReader> {
  const thread = await startThread({ module: 'list-thread', file, work: 'list-reading' });
  const read = async (name: keyof ListStore, args: readonly unknown[]): Promise<readonly number[]> => {
    if (thread.waiting() >= MAX_READINGS) throw new StoreUnavailable('too many lists are being read');
    return (await thread.call(name, args)) as number[];
  };
  return {
    runs: (...args) => read('runs', args),
    jobs: (...args) => read('jobs', args),
    close: () => thread.close(),
  };
}
