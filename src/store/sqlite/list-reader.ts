import { EventEmitter } from 'node:events';
import { type ListStore, TooManyReadings } from '../lists.ts';
import { startThread } from './thread.ts';

/** The most queries that may wait at once over all owners. Each holds only its filter and its page. */
const MAX_READINGS = 1_000;
/** An owner with fewer waiting queries is always admitted, or a few owners could shut out all others. */
const ALWAYS_ADMITTED = 2;
/** The most queries of one owner that may wait at once: two documents with the most lists allowed. */
export const MAX_READINGS_PER_OWNER = 64;

/** The lists of the embedded store, read in a thread. */
export interface ListReader extends ListStore {
  /** Ends the thread. Queries that still wait reject with `StoreUnavailable`. */
  close(): Promise<void>;
}

/**
 * Starts the list thread on a migrated file. A query that no index covers, such as for a word of a title,
 * scans every run: about 100 ms for 200,000 runs, for which the event loop would stand still.
 */
export async function startListReader(file: string): Promise<ListReader> {
  const thread = await startThread({ module: 'list-thread', file, work: 'list-reading' });
  /** Owner objects cannot be sent to the thread, so it knows owners by number. */
  const numbers = new WeakMap<object, number>();
  const waiting = new Map<number, number>();
  const gone = new Set<number>();
  let lastNumber = 0;

  function numberOf(owner: object): number {
    const known = numbers.get(owner);
    if (known !== undefined) return known;
    lastNumber += 1;
    numbers.set(owner, lastNumber);
    const number = lastNumber;
    if (owner instanceof EventEmitter) owner.once('close', () => forget(number));
    return number;
  }

  /** Drops the queries of an owner that has closed. */
  function forget(number: number): void {
    if (!waiting.has(number)) return;
    gone.add(number);
    // If the thread has ended, it has already rejected them.
    thread.call('forget', [number]).catch(() => {});
  }

  async function read(name: keyof ListStore, filter: unknown, page: unknown, owner: object = {}) {
    const number = numberOf(owner);
    const before = waiting.get(number) ?? 0;
    if (thread.waiting() >= MAX_READINGS && before >= ALWAYS_ADMITTED) {
      throw new TooManyReadings('too many lists are being read');
    }
    if (before >= MAX_READINGS_PER_OWNER) {
      throw new TooManyReadings(`this client is already reading ${MAX_READINGS_PER_OWNER} lists`);
    }
    waiting.set(number, before + 1);
    try {
      return (await thread.call(name, [filter, page, number])) as number[];
    } catch (error) {
      throw gone.has(number) ? new TooManyReadings('the client disconnected') : error;
    } finally {
      const left = waiting.get(number)! - 1;
      if (left > 0) waiting.set(number, left);
      else {
        waiting.delete(number);
        gone.delete(number);
      }
    }
  }

  return {
    runs: (filter, page, owner) => read('runs', filter, page, owner),
    jobs: (filter, page, owner) => read('jobs', filter, page, owner),
    close: () => thread.close(),
  };
}
