import { createFeed, type Feed } from '../../src/feed/feed.ts';
import { FEED_LIMITS, type FeedLimits } from '../../src/feed/limits.ts';
import { createIngest, type Ingest } from '../../src/ingest/ingest.ts';
import type { Store } from '../../src/store/store.ts';
import { createLocalPlane } from '../../src/wakeups/local.ts';
import type { WakeupPlane } from '../../src/wakeups/plane.ts';
import { releaseAfterwards } from '../support/releases.ts';

/** The parts of a process: ingest, feed, and the plane between them. */
export interface Process {
  readonly store: Store;
  readonly plane: WakeupPlane;
  readonly ingest: Ingest;
  readonly feed: Feed;
}

/** Starts ingest and feed over a store. Both are closed after the test. */
export function startProcess(
  store: Store,
  limits: Partial<FeedLimits> = {},
  plane = createLocalPlane(),
): Process {
  const ingest = createIngest(store, plane);
  const feed = createFeed(store, plane, { ...FEED_LIMITS, ...limits });
  releaseAfterwards(() => {
    feed.close();
    return ingest.close();
  });
  return { store, plane, ingest, feed };
}

/** Reads all values. */
export async function readAll<Value>(values: AsyncIterable<Value>): Promise<Value[]> {
  const all: Value[] = [];
  for await (const value of values) all.push(value);
  return all;
}

/** Reads the next `count` values. */
export async function take<Value>(values: AsyncGenerator<Value, void>, count: number): Promise<Value[]> {
  const taken: Value[] = [];
  while (taken.length < count) {
    const { done, value } = await values.next();
    if (done) throw new Error(`ended after ${taken.length} of ${count}`);
    taken.push(value);
  }
  return taken;
}

/** Returns true if a promise is still pending after 20 turns of the event loop. */
export async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let pending = true;
  const settled = () => {
    pending = false;
  };
  promise.then(settled, settled);
  for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate);
  return pending;
}

/** Wraps a store so that it counts its reads of pages. */
export function countingReads(store: Store): { readonly store: Store; reads(): number } {
  let reads = 0;
  const counting: Store = {
    ...store,
    readPage: (...request) => {
      reads += 1;
      return store.readPage(...request);
    },
  };
  return { store: counting, reads: () => reads };
}
