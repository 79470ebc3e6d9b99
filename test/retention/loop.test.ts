import { beforeEach, expect, test } from 'vitest';
import { type RetentionOptions, startRetention } from '../../src/retention/retention.ts';
import type { Store } from '../../src/store/store.ts';
import { StoreUnavailable } from '../../src/store/unavailable.ts';
import { describeStores } from '../support/databases.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { eventually } from '../support/runs.ts';
import { endedRun, runningRun, seqsOf } from './ended-runs.ts';

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;
const daysAgo = (days: number) => Date.now() - days * DAY_MS;

function start(store: Store, options: RetentionOptions) {
  const retention = startRetention(store, { firstMs: 0, intervalMs: 1, proofMs: 0, ...options });
  releaseAfterwards(retention.close);
  return retention;
}

describeStores('retention', ({ open }) => {
  let store: Store;
  beforeEach(async () => {
    store = await open();
  });
  const isRemoved = (key: number) => async () =>
    (await store.readEnded({ endedAt: -1, key: -1 }, Date.now() + 1, 99)).some(
      (run) => run.key === key && run.removed,
    );

  test('periodically removes runs that ended that many days ago and reports how many', async () => {
    const young = await endedRun(store, 3, daysAgo(1.9));
    const running = await runningRun(store, 3);
    const first = await endedRun(store, 3, daysAgo(2.1));
    const removed: number[] = [];
    start(store, { days: 2, onRemoved: (runs) => removed.push(runs) });
    await eventually(isRemoved(first.key));
    const second = await endedRun(store, 3, daysAgo(2));
    await eventually(isRemoved(second.key));
    await eventually(() => removed.length === 2);
    expect(removed).toEqual([1, 1]);
    expect(await seqsOf(store, young)).toEqual([0, 1, 2, 3]);
    expect(await seqsOf(store, running)).toEqual([0, 1, 2]);
  });

  test('removes nothing unless the number of days is set', async () => {
    const run = await endedRun(store, 3, 1);
    const retention = start(store, { days: null });
    await new Promise((resolve) => setTimeout(resolve, 50));
    await retention.close();
    expect(await seqsOf(store, run)).toEqual([0, 1, 2, 3]);
  });

  /** A database whose clock can be set, and a monotonic clock that can pass quickly. */
  function clocks() {
    let passedMs = 0;
    let setMs = 0;
    let readings = 0;
    const readClock = async () => {
      readings += 1;
      return (await store.readClock()) + passedMs + setMs;
    };
    return {
      store: { ...store, readClock },
      monotonic: () => performance.now() + passedMs,
      pass: (ms: number) => {
        passedMs += ms;
      },
      set: (ms: number) => {
        setMs += ms;
      },
      /** Resolves after some more sweeps. */
      sweeps: () => {
        const enough = readings + 5;
        return eventually(() => readings >= enough);
      },
    };
  }

  test('removes nothing in the hour after a start, even if a run ends by a clock that is ahead', async () => {
    const { store: ahead, monotonic, set, pass, sweeps } = clocks();
    set(40 * DAY_MS);
    const young = await endedRun(store, 3, daysAgo(0));
    const last = await endedRun(store, 3, daysAgo(-40));
    start(ahead, { days: 30, proofMs: HOUR_MS, monotonic });
    await sweeps();
    pass(HOUR_MS - 60_000);
    await sweeps();
    expect(await seqsOf(store, young)).toEqual([0, 1, 2, 3]);
    pass(60_000);
    await eventually(isRemoved(young.key));
    expect(await seqsOf(store, last)).toEqual([0, 1, 2, 3]);
  });

  test('removes nothing in the hour after the clock was set, forward or back', async () => {
    const { store: settable, monotonic, set, pass, sweeps } = clocks();
    const first = await endedRun(store, 3, daysAgo(31));
    const second = await endedRun(store, 3, daysAgo(0));
    start(settable, { days: 30, proofMs: HOUR_MS, monotonic });
    await sweeps();
    pass(HOUR_MS);
    await eventually(isRemoved(first.key));
    set(60 * DAY_MS);
    await sweeps();
    pass(HOUR_MS - 60_000);
    await sweeps();
    set(-20 * DAY_MS);
    await sweeps();
    pass(HOUR_MS - 60_000);
    await sweeps();
    expect(await seqsOf(store, second)).toEqual([0, 1, 2, 3]);
    pass(60_000);
    await eventually(isRemoved(second.key));
  });

  test('continues after the store was down, and reports the failure', async () => {
    const run = await endedRun(store, 3, 1);
    let down = true;
    const failures: unknown[] = [];
    const failing: Store = {
      ...store,
      markRemoved: async (key) => {
        if (down) throw new StoreUnavailable('down');
        return store.markRemoved(key);
      },
    };
    start(failing, { days: 1, onError: (error) => failures.push(error) });
    await eventually(() => failures.length > 2);
    expect(failures[0]).toBeInstanceOf(StoreUnavailable);
    down = false;
    await eventually(isRemoved(run.key));
  });

  test('makes no calls after it is closed, even before its first sweep', async () => {
    let asked = 0;
    const counted: Store = {
      ...store,
      readEnded: (...request) => {
        asked += 1;
        return store.readEnded(...request);
      },
    };
    const retention = start(counted, { days: 1 });
    await eventually(() => asked > 0);
    await retention.close();
    const before = asked;
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(asked).toBe(before);
    await start(counted, { days: 1, firstMs: 600_000 }).close();
    expect(asked).toBe(before);
  });
});
