import { beforeEach, expect, test } from 'vitest';
import { createIngest } from '../../src/ingest/ingest.ts';
import { createSweeper, type SweepLimits } from '../../src/retention/sweep.ts';
import { openStore } from '../../src/store/open.ts';
import { EMPTY_HEAD, type Store } from '../../src/store/store.ts';
import { StoreUnavailable } from '../../src/store/unavailable.ts';
import { createLocalPlane } from '../../src/wakeups/local.ts';
import { batch, sent } from '../ingest/sending.ts';
import { append, createRun, event, events } from '../suites/store-records.ts';
import { describePostgres, describeStores, freshSqliteUrl } from '../support/databases.ts';
import { endedRun, NEVER, runningRun, seqsOf } from './ended-runs.ts';

const SMALL: SweepLimits = { runs: 2, step: { maxEvents: 3, maxBytes: 2 ** 30 } };

describeStores('a sweep', ({ open }) => {
  let store: Store;
  beforeEach(async () => {
    store = await open();
  });

  test('removes the history of runs that ended before the given time, and touches no other run', async () => {
    const old = [];
    for (const endedAt of [300, 100, 200, 199, 150]) old.push(await endedRun(store, 7, endedAt));
    const young = await endedRun(store, 7, 301);
    const running = await runningRun(store, 7);
    expect(await createSweeper(store, SMALL).sweep(301, NEVER)).toBe(5);
    for (const run of old) {
      expect(await seqsOf(store, run)).toEqual([7]);
      expect((await store.readHeads([run.key])).get(run.key)).toMatchObject({
        removedThrough: 6,
        lastSeq: 7,
        eventCount: 8,
        terminalSeq: 7,
      });
    }
    for (const run of [young, running]) {
      expect((await seqsOf(store, run)).slice(0, 7)).toEqual([0, 1, 2, 3, 4, 5, 6]);
      expect((await store.readHeads([run.key])).get(run.key)?.removedThrough).toBe(-1);
    }
  });

  test('does not check finished runs again', async () => {
    for (let endedAt = 1; endedAt <= 5; endedAt += 1) await endedRun(store, 2, endedAt);
    const seen: number[] = [];
    const watched: Store = {
      ...store,
      readEnded: async (...request) => {
        const runs = await store.readEnded(...request);
        seen.push(...runs.map(({ endedAt }) => endedAt));
        return runs;
      },
    };
    const sweeper = createSweeper(watched, SMALL);
    expect(await sweeper.sweep(4, NEVER)).toBe(3);
    expect(await sweeper.sweep(4, NEVER)).toBe(0);
    expect(await sweeper.sweep(9, NEVER)).toBe(2);
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });

  test.each([
    ['only marked', 0],
    ['partly deleted', 1],
    ['deleted without moving the terminal event', 9],
  ])('finishes a run that a dead process had %s', async (_, steps) => {
    const run = await endedRun(store, 7, 1);
    await store.markRemoved(run.key);
    let after: number | null = -1;
    for (let step = 0; step < steps && after !== null; step += 1) {
      after = await store.deleteRemoved(run.key, after, SMALL.step);
    }
    await createSweeper(store, SMALL).sweep(2, NEVER);
    expect(await seqsOf(store, run)).toEqual([7]);
    expect(await store.readEnded({ endedAt: -1, key: -1 }, 2, 9)).toMatchObject([{ removed: true }]);
    expect((await store.readHeads([run.key])).get(run.key)?.removedThrough).toBe(6);
  });

  test('that failed halfway is continued by the next one', async () => {
    const runs = [await endedRun(store, 7, 1), await endedRun(store, 7, 2)];
    let calls = 0;
    const failing: Store = {
      ...store,
      deleteRemoved: async (...request) => {
        calls += 1;
        if (calls === 5) throw new StoreUnavailable('down');
        return store.deleteRemoved(...request);
      },
    };
    const sweeper = createSweeper(failing, SMALL);
    await expect(sweeper.sweep(9, NEVER)).rejects.toThrow(StoreUnavailable);
    expect(await sweeper.sweep(9, NEVER)).toBe(1);
    for (const run of runs) expect(await seqsOf(store, run)).toEqual([7]);
  });

  test('that is aborted stops after its step and leaves the rest to the next one', async () => {
    const run = await endedRun(store, 7, 1);
    const stopping = new AbortController();
    const stopped: Store = {
      ...store,
      deleteRemoved: async (...request) => {
        stopping.abort();
        return store.deleteRemoved(...request);
      },
    };
    const sweeper = createSweeper(stopped, SMALL);
    expect(await sweeper.sweep(9, stopping.signal)).toBe(0);
    expect(await seqsOf(store, run)).toEqual([3, 4, 5, 6, 7]);
    expect(await sweeper.sweep(9, NEVER)).toBe(1);
    expect(await seqsOf(store, run)).toEqual([7]);
  });

  test('is visible in every page read meanwhile: the head covers all missing events', async () => {
    const limits: SweepLimits = { runs: 10, step: { maxEvents: 7, maxBytes: 2 ** 30 } };
    for (let round = 0; round < 5; round += 1) {
      const run = await endedRun(store, 150, round);
      let swept = false;
      const sweeping = createSweeper(store, limits)
        .sweep(9, NEVER)
        .finally(() => {
          swept = true;
        });
      while (!swept) {
        for (let after = -1; after < 150; ) {
          const page = await store.readPage(run.key, after, { maxEvents: 60, maxBytes: 2 ** 30 });
          const { events, head } = page!;
          expect(events[0]?.seq).toBeLessThanOrEqual(Math.max(after, head.removedThrough) + 1);
          expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => events[0]!.seq + index));
          after = events.at(-1)!.seq;
        }
        await new Promise(setImmediate);
      }
      expect(await sweeping).toBe(1);
    }
  });

  test('leaves a run that accepts no events: its id stays, late batches are run_terminated', async () => {
    const ingest = createIngest(store, createLocalPlane());
    const run = await createRun(store);
    const log = [sent(0), sent(1), sent(2, { kind: 'runtime_terminal' })];
    await ingest.append(run, batch(log));
    await createSweeper(store).sweep(Date.now() + 1, NEVER);
    expect(await ingest.append(run, batch(log))).toMatchObject({ code: 'run_terminated', eventIndex: 0 });
    expect(await ingest.append(run, batch([sent(3)]))).toMatchObject({ code: 'run_terminated' });
    expect(await ingest.append(run, batch([log[2]!]))).toMatchObject({ ok: true, duplicates: 1 });
    const again = await store.createRun({ ...run, title: null, labels: '{}', createdAt: 5 });
    expect(again).toMatchObject({ created: false, run: { key: run.key, removedThrough: 1, eventCount: 3 } });
    await ingest.close();
  });
});

test('a SQLite file stops growing if as much is removed as is stored', async () => {
  const store = await openStore(await freshSqliteUrl());
  const sweeper = createSweeper(store);
  const data = JSON.stringify({ text: 'x'.repeat(300) });
  const sizes: number[] = [];
  for (let cycle = 1; cycle <= 12; cycle += 1) {
    for (let count = 0; count < 20; count += 1) {
      const run = await createRun(store);
      const log = events(0, 100).map((one) => ({ ...one, data }));
      const terminal = event(100, { kind: 'runtime_terminal', data: '{}' });
      await store.commit([append(run, EMPTY_HEAD, [...log, terminal], { endedAt: cycle })]);
    }
    await sweeper.sweep(cycle, NEVER);
    // The database without its WAL, whose size is limited separately.
    const [pages] = await store.catalog.$queryRawUnsafe<{ page_count: bigint }[]>('PRAGMA page_count');
    sizes.push(Number(pages!.page_count));
  }
  await store.close();
  // What stays of a run, its row and its terminal event, is a hundredth of its size.
  expect(sizes.at(-1)! / sizes[1]!).toBeLessThan(1.15);
});

describePostgres('two processes that sweep one Postgres database', ({ freshUrl, open }) => {
  test('at the same time, during writes, remove all old runs and nothing else', async () => {
    const url = await freshUrl();
    const stores = [await open(url), await open(url)] as const;
    const old = await Promise.all(
      Array.from({ length: 30 }, (_, index) => endedRun(stores[0], 40, index % 7)),
    );
    const running = await Promise.all(Array.from({ length: 10 }, () => createRun(stores[0])));
    let swept = false;
    async function write(): Promise<number> {
      let head = EMPTY_HEAD;
      while (!swept || head.lastSeq < 0) {
        const appends = running.map((run) => append(run, head, events(head.lastSeq + 1, 2)));
        expect((await stores[1].commit(appends)).size).toBe(running.length);
        head = appends[0]!.head;
      }
      return head.lastSeq;
    }
    const writing = write();
    await Promise.all([0, 1, 0, 1].map((at) => createSweeper(stores[at]!, SMALL).sweep(7, NEVER)));
    swept = true;
    const lastSeq = await writing;
    for (const run of old) expect(await seqsOf(stores[0], run)).toEqual([40]);
    for (const run of running) {
      expect(await seqsOf(stores[0], run)).toEqual(Array.from({ length: lastSeq + 1 }, (_, seq) => seq));
    }
    const ended = await stores[0].readEnded({ endedAt: -1, key: -1 }, 7, 100);
    expect(ended.filter(({ removed }) => removed)).toHaveLength(30);
  });
});
