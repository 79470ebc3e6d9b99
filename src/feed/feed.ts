import { LRUCache } from 'lru-cache';
import { unlessAborted } from '../lib/cancellable.ts';
import { createTurns } from '../lib/waiting/turns.ts';
import type { Head, Store } from '../store/store.ts';
import { StoreUnavailable } from '../store/unavailable.ts';
import type { Wake, WakeupPlane } from '../wakeups/plane.ts';
import { createCursor, type FollowRequest, type Reader, type Step } from './cursor.ts';
import { FEED_LIMITS, type FeedLimits } from './limits.ts';
import { createPages } from './pages.ts';
import { withPatience } from './patience.ts';
import { createRings, type Rings } from './rings.ts';
import { createWatch, type Watch } from './watch.ts';

/** Delivers events: every run is a feed that any number of readers follow from their cursors. */
export interface Feed {
  /**
   * Opens a reader that steps through the log from the request's place, history first and then live, and ends
   * after the terminal event. The first step is available at once, even if it has no events. The reader ends
   * early if the signal aborts, and its waits throw `StoreUnavailable` if the store stays down. Returns null
   * if the signal aborts before the reader is open. The caller must close the reader.
   */
  open(request: FollowRequest, signal: AbortSignal): Promise<Reader<Step> | null>;
  /** Reads the heads of all followed runs, in case a wake-up was lost. Also runs every `pollMs`. */
  poll(): Promise<void>;
  /** Returns how often a poll found news that no wake-up had announced. */
  foundByPoll(): number;
  /** Returns the number of runs that are followed now. */
  watchedRuns(): number;
  /** Returns the bytes of memory that the rings of all followed runs hold now. */
  ringBytes(): number;
  /** Stops polling. Readers that wait fail with `StoreUnavailable`. */
  close(): void;
}

/** A followed run and the number of its readers. */
interface Followed {
  readonly watch: Promise<Watch>;
  readonly stop: () => void;
  readers: number;
}

/** Creates the feed of a store. The plane carries its wake-ups. */
export function createFeed(store: Store, wakeups: WakeupPlane, limits: FeedLimits = FEED_LIMITS): Feed {
  const closing = new AbortController();
  const pages = createPages(store, limits, closing.signal);
  const rings = createRings({
    totalBytes: limits.ringsBytes,
    maxEvents: limits.ringEvents,
    maxBytes: limits.ringBytes,
  });
  // Each reader waits for one turn at most, so the number of readers bounds the number of waits.
  const passing = createTurns({
    costPerTurn: limits.passedPerTurn,
    maxWaiting: Number.MAX_SAFE_INTEGER,
  });
  const shared = { pages, passing, pageEvents: limits.pageEvents };
  const followed = new Map<number, Followed>();
  const watches = new Map<number, Watch>();
  /** Runs whose news is being fetched, with the last `seq` that wake-ups announced. */
  const told = new Map<Watch, number>();
  /** Heads of ended runs, so that successive readers of a run that is not followed need not read it again. */
  const ended = new LRUCache<number, Head>({ max: limits.rememberedEnds });
  let foundByPoll = 0;
  let polling = false;

  async function poll(): Promise<void> {
    if (watches.size === 0 || polling) return;
    polling = true;
    try {
      const heads = await store.readHeads([...watches.keys()]);
      for (const [run, head] of heads) if (watches.get(run)?.learn(head)) foundByPoll += 1;
    } catch {
      // The store is down. Readers that need it report that themselves, and the next poll tries again.
    } finally {
      polling = false;
    }
  }
  const timer = setInterval(() => void poll(), limits.pollMs).unref();

  /**
   * Reads the events that a wake-up announced into the ring, once for all readers. A wake-up that came early
   * finds no events; the next wake-up or poll will.
   */
  async function fetchNews(watch: Watch, lastSeq: number): Promise<void> {
    const toldBefore = told.get(watch);
    told.set(watch, Math.max(lastSeq, toldBefore ?? -1));
    if (toldBefore !== undefined) return;
    try {
      for (let start = watch.head().lastSeq; start < told.get(watch)!; start = watch.head().lastSeq) {
        const page = await pages.read(watch.run, start, watch);
        if (page.events.length === 0) break;
        watch.takePage(start, page);
      }
    } catch {
      // The store is down. Readers that need it report that themselves.
    } finally {
      told.delete(watch);
    }
  }

  function start(run: number): Followed {
    const stopped = new AbortController();
    const signal = AbortSignal.any([closing.signal, stopped.signal]);
    const end = ended.get(run);
    const watch = end
      ? Promise.resolve(createWatch(run, end, rings))
      : startWatch(store, wakeups, { rings, patienceMs: limits.patienceMs }, run, fetchNews, signal);
    const entry: Followed = { watch, stop: () => stopped.abort(), readers: 0 };
    followed.set(run, entry);
    watch.then(
      (started) => followed.get(run) === entry && watches.set(run, started),
      // Readers that wait for the watch get the error; the next reader starts a new watch.
      () => followed.get(run) === entry && followed.delete(run),
    );
    return entry;
  }

  async function open(request: FollowRequest, signal: AbortSignal): Promise<Reader<Step> | null> {
    const { run } = request;
    const entry = followed.get(run) ?? start(run);
    entry.readers += 1;
    const leave = () => {
      entry.readers -= 1;
      if (entry.readers > 0) return;
      entry.stop();
      // If the watch is still being opened, it is closed after it has handled early wake-ups.
      entry.watch.then(
        (watch) => watch.close(),
        () => {},
      );
      if (followed.get(run) !== entry) return;
      const head = watches.get(run)?.head();
      // If retention removes events later, the pages will show it.
      if (head && head.terminalSeq !== null) ended.set(run, head);
      followed.delete(run);
      watches.delete(run);
    };
    try {
      const watch = await unlessAborted(entry.watch, signal);
      if (watch) return createCursor(watch, shared, request, signal, leave);
    } catch (error) {
      leave();
      throw error;
    }
    leave();
    return null;
  }

  return {
    open,
    poll,
    foundByPoll: () => foundByPoll,
    watchedRuns: () => followed.size,
    ringBytes: rings.heldBytes,
    close: () => {
      clearInterval(timer);
      const error = new StoreUnavailable('the feed is closed');
      closing.abort(error);
      for (const watch of watches.values()) watch.fail(error);
    },
  };
}

/**
 * Registers for wake-ups first and reads the head second, so that no commit between the two is missed. The
 * signal ends the registration whenever it aborts.
 */
async function startWatch(
  store: Store,
  wakeups: WakeupPlane,
  { rings, patienceMs }: { readonly rings: Rings; readonly patienceMs: number },
  run: number,
  fetchNews: (watch: Watch, lastSeq: number) => Promise<void>,
  signal: AbortSignal,
): Promise<Watch> {
  let watch: Watch | undefined;
  const early: Wake[] = [];
  const hear = (started: Watch, wake: Wake) => {
    if (wake.chunk) started.hear(wake.chunk);
    else if (wake.lastSeq > started.head().lastSeq) void fetchNews(started, wake.lastSeq);
  };
  const stop = await wakeups.listen(run, (wake) => {
    if (watch) hear(watch, wake);
    else early.push(wake);
  });
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop, { once: true });
  const heads = await withPatience(() => store.readHeads([run]), patienceMs, signal);
  const head = heads.get(run);
  if (!head) throw new Error(`run ${run} does not exist`);
  watch = createWatch(run, head, rings);
  for (const wake of early) hear(watch, wake);
  return watch;
}
