import { EventEmitter } from 'node:events';
import { type ListStore, TooManyReadings } from '../lists.ts';
import { startThread } from './thread.ts';

/** Readings that may wait at once, over all owners; each holds no more than its filter and its page. */
const MAX_READINGS = 1_000;
/** An owner with fewer is let in nevertheless: a few owners could otherwise shut out all others. */
const ALWAYS_ADMITTED = 2;
/** Readings of one owner that may wait at once: those of two documents with as many lists as a document may have. */
export const MAX_READINGS_PER_OWNER = 64;

/** The lists of the embedded store, read in a thread. */
export interface ListReader extends ListStore {
  /** Ends the thread. Readings that still wait reject with `StoreUnavailable`. */
  close(): Promise<void>;
}

/**
 * Starts the reading thread on a migrated file. What no index answers, such as a word of a title, looks at every run:
 * some 100 ms for 200,000 of them, in which the loop would stand still.
 */
export async function startListReader(file: string): Promise<ListReader> {
  const thread = await startThread({ module: 'list-thread', file, work: 'list-reading' });
  /** Objects cannot cross to the thread, so it knows owners by number. */
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

  /** Drops the readings of an owner that nobody is left to answer. */
  function forget(number: number): void {
    if (!waiting.has(number)) return;
    gone.add(number);
    // A thread that has ended has rejected them already.
    thread.call('forget', [number]).catch(() => {});
  }

  async function read(name: keyof ListStore, filter: unknown, page: unknown, owner: object = {}) {
    const number = numberOf(owner);
    const before = waiting.get(number) ?? 0;
    if (thread.waiting() >= MAX_READINGS && before >= ALWAYS_ADMITTED) {
      throw new TooManyReadings('too many lists are being read');
    }
    if (before >= MAX_READINGS_PER_OWNER) {
      throw new TooManyReadings(`more than ${MAX_READINGS_PER_OWNER} lists are being read for one client`);
    }
    waiting.set(number, before + 1);
    try {
      return (await thread.call(name, [filter, page, number])) as number[];
    } catch (error) {
      throw gone.has(number) ? new TooManyReadings('the client has gone') : error;
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
