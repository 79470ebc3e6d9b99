import { beforeAll, describe, expect, test } from 'vitest';
import type { RunnerEventKind } from '../../src/contract/events.ts';
import { type FeedRequest, followBatches, followEvents, openBatches } from '../../src/feed/batches.ts';
import { openStore } from '../../src/store/open.ts';
import type { RunRecord, Store } from '../../src/store/store.ts';
import { createLog, event } from '../suites/store-records.ts';
import { freshSqliteUrl } from '../support/databases.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { startTurnMeter } from '../support/turn-meter.ts';
import { readAll, startProcess } from './following.ts';

const EVENTS = 10_000;
const PAGE_EVENTS = 500;
const PER_TURN = 2_000;
const LIMITS = { pageEvents: PAGE_EVENTS, passedPerTurn: PER_TURN };

let store: Store;
let history: RunRecord;

beforeAll(async () => {
  store = await openStore(await freshSqliteUrl());
  releaseAfterwards(() => store.close());
  history = await createLog(
    store,
    Array.from({ length: EVENTS }, (_, seq) => event(seq, kindAt(seq))),
  );
});

function kindAt(seq: number): { readonly kind?: RunnerEventKind } {
  if (seq === EVENTS - 1) return { kind: 'runtime_terminal' };
  return seq % 1_000 === 700 ? { kind: 'tool_request' } : {};
}

/** Counts the events that are checked in each turn of the event loop. */
function createCounter() {
  const meter = startTurnMeter();
  return {
    ...meter,
    kinds: (...names: RunnerEventKind[]): ReadonlySet<RunnerEventKind> => {
      const kinds = new Set(names);
      const { has } = kinds;
      kinds.has = (kind) => {
        meter.add(1);
        return has.call(kinds, kind);
      };
      return kinds;
    },
  };
}

const request = (kinds: FeedRequest['kinds']): FeedRequest => ({ run: history.key, after: -1, kinds });

describe('events that a filter skips', () => {
  test('are bounded per turn of the event loop over all readers, and each is checked once', async () => {
    const { feed } = startProcess(store, LIMITS);
    const counter = createCounter();
    const kinds = counter.kinds('runtime_started');
    const reading = Array.from({ length: 16 }, (_, index) =>
      index % 2 === 0
        ? readAll(followBatches(feed, request(kinds), 1 + (index % 4)))
        : readAll(followEvents(feed, request(kinds))),
    );
    for (const got of await Promise.all<readonly object[]>(reading)) expect(got).toHaveLength(1);
    expect(counter.all()).toBe(16 * EVENTS);
    // A turn of the event loop may end between two counts.
    expect(counter.most()).toBeLessThanOrEqual(2 * PER_TURN);
  });

  test('do not split the events that pass into smaller batches', async () => {
    const { feed } = startProcess(store, LIMITS);
    const batches = await readAll(followBatches(feed, request(new Set(['tool_request'])), 1));
    const passing = batches.flatMap(({ events }) => events.map(({ seq }) => seq));
    expect(passing).toEqual([...Array.from({ length: 10 }, (_, index) => 700 + index * 1_000), EVENTS - 1]);
    expect(batches.every(({ events }) => events.length === 1)).toBe(true);
    expect(batches.at(-1)).toMatchObject({ cursor: EVENTS - 1, ended: true, caughtUp: true });
  });

  test('do not delay another owner until one socket with many readers is done', async () => {
    const { feed } = startProcess(store, LIMITS);
    await readAll(followBatches(feed, request(null)));
    const socket = {};
    const none = new Set<RunnerEventKind>(['runtime_started']);
    let done = 0;
    const many = Array.from({ length: 40 }, async () => {
      await readAll(followBatches(feed, { ...request(none), owner: socket }));
      done += 1;
    });
    await new Promise(setImmediate);
    await readAll(followBatches(feed, { ...request(none), owner: {} }));
    expect(done).toBe(0);
    await Promise.all(many);
  });

  test('do not hold up a reader that leaves before its turn', async () => {
    const { feed } = startProcess(store, LIMITS);
    await readAll(followBatches(feed, request(null)));
    const none = new Set<RunnerEventKind>(['runtime_started']);
    const many = Array.from({ length: 20 }, () => readAll(followBatches(feed, request(none))));
    const leaving = followBatches(feed, request(none));
    const next = leaving.next();
    await new Promise(setImmediate);
    await leaving.return();
    expect(await next).toEqual({ done: true, value: undefined });
    await Promise.all(many);
    expect(feed.watchedRuns()).toBe(0);
  });

  test('are reported as progress once per second while none passes', async () => {
    const { feed } = startProcess(store, { ...LIMITS, passedPerTurn: 1 });
    const controller = new AbortController();
    const none = new Set<RunnerEventKind>(['runtime_started']);
    const reader = (await openBatches(feed, request(none), 1, controller.signal))!;
    releaseAfterwards(() => reader.close());
    let told = reader.take();
    for (let waits = 0; told === null && waits < 15; waits++) {
      await reader.ready();
      await new Promise((resolve) => setTimeout(resolve, 120));
      told = reader.take();
    }
    // Neither after the first page nor only after the whole log.
    expect(told).toMatchObject({ events: [], caughtUp: false });
    expect(told?.cursor).toBeGreaterThan(PAGE_EVENTS);
    expect(told?.cursor).toBeLessThan(EVENTS - 1);
  });
});

test.each([
  ['a filter that skips everything', new Set<RunnerEventKind>(['tool_response'])],
  ['no filter', null],
])(
  'readers at many places read a bounded number of pages per turn of the event loop: %s',
  async (_, kinds) => {
    const pages = startTurnMeter();
    const counting: Store = {
      ...store,
      readPage: (...request) => {
        pages.add(1);
        return store.readPage(...request);
      },
    };
    // Pages are not cached, so that each reader reads its own.
    const { feed } = startProcess(counting, { ...LIMITS, cachedPageBytes: 1, readBytesPerTurn: 1 });
    const places = Array.from({ length: 60 }, (_, place) => EVENTS - 2 - 150 * place);
    const all = await Promise.all(
      places.map((after) => readAll(followBatches(feed, { run: history.key, after, kinds }, PAGE_EVENTS))),
    );
    for (const [place, batches] of all.entries()) {
      const events = batches.flatMap(({ events }) => events);
      expect(events.at(-1)?.seq).toBe(EVENTS - 1);
      if (!kinds) expect(events).toHaveLength(EVENTS - 1 - places[place]!);
    }
    expect(pages.all()).toBeGreaterThan(60);
    expect(pages.most()).toBe(1);
  },
);
