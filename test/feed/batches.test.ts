import { beforeAll, describe, expect, test } from 'vitest';
import type { RunnerEventKind } from '../../src/contract/events.ts';
import { BATCH_MAX_BYTES, type FeedRequest, followBatches, followEvents } from '../../src/feed/batches.ts';
import type { RunRecord, Store, StoredEvent } from '../../src/store/store.ts';
import { batch, sent } from '../ingest/sending.ts';
import { createLog, createRun, event, events } from '../suites/store-records.ts';
import { describeStores } from '../support/databases.ts';
import { isPending, readAll, startProcess, take } from './following.ts';

function request(run: Pick<RunRecord, 'key'>, changes: Partial<FeedRequest> = {}): FeedRequest {
  return { run: run.key, after: -1, kinds: null, ...changes };
}

function endedLog(store: Store, count: number): Promise<RunRecord> {
  return createLog(store, [...events(0, count - 1), event(count - 1, { kind: 'runtime_terminal' })]);
}

function seqs(batches: readonly { readonly events: readonly StoredEvent[] }[]): number[][] {
  return batches.map(({ events }) => events.map(({ seq }) => seq));
}

describeStores('a reader', ({ open }) => {
  let store: Store;
  beforeAll(async () => {
    store = await open();
  });

  describe('of an ended run', () => {
    test('gets the history in batches, up to the terminal event', async () => {
      const { feed } = startProcess(store);
      const batches = await readAll(followBatches(feed, request(await endedLog(store, 10)), 4));
      expect(seqs(batches)).toEqual([
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9],
      ]);
      expect(batches.map(({ cursor }) => cursor)).toEqual([3, 7, 9]);
      expect(batches.map(({ caughtUp, ended }) => [caughtUp, ended])).toEqual([
        [false, false],
        [false, false],
        [true, true],
      ]);
      expect(feed.watchedRuns()).toBe(0);
    });

    test.each([9, 10, 1_000])('with no events left after %i is done at once', async (after) => {
      const { feed } = startProcess(store);
      const run = await endedLog(store, 10);
      expect(await readAll(followBatches(feed, request(run, { after })))).toEqual([]);
      expect(await readAll(followEvents(feed, request(run, { after })))).toEqual([]);
    });

    test('gets the events after the cursor one by one', async () => {
      const { feed } = startProcess(store);
      const got = await readAll(followEvents(feed, request(await endedLog(store, 6), { after: 3 })));
      expect(got).toEqual([event(4), event(5, { kind: 'runtime_terminal' })]);
    });

    test('gets batches that are also limited by size, each with at least one event', async () => {
      const { feed } = startProcess(store);
      const data = JSON.stringify({ text: 'x'.repeat(BATCH_MAX_BYTES * 0.6) });
      const run = await createLog(store, [
        ...[0, 1, 2].map((seq) => event(seq, { data })),
        event(3, { kind: 'runtime_terminal' }),
      ]);
      expect(seqs(await readAll(followBatches(feed, request(run))))).toEqual([
        [0, 1],
        [2, 3],
      ]);
    });
  });

  describe('of a live run', () => {
    test('gets `caughtUp` once, even without any event', async () => {
      const { feed, ingest } = startProcess(store);
      const run = await createRun(store);
      const batches = followBatches(feed, request(run));
      expect(await take(batches, 1)).toEqual([
        { events: [], cursor: -1, caughtUp: true, ended: false, gap: null },
      ]);
      const next = batches.next();
      expect(await isPending(next)).toBe(true);
      await ingest.append(run, batch([4]));
      expect((await next).value).toMatchObject({ cursor: 4, caughtUp: true, events: [{ seq: 4 }] });
      await batches.return();
    });

    test('gets the history, then live events, up to the terminal event', async () => {
      const { feed, ingest } = startProcess(store);
      const run = await createLog(store, events(0, 3));
      const reading = readAll(followEvents(feed, request(run, { after: 0 })));
      for (const seq of [3, 4, 7]) await ingest.append(run, batch([sent(seq, { tMs: event(0).tMs })]));
      await ingest.appendOwn(run, { kind: 'runtime_terminal', data: '{}' });
      expect((await reading).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 7, 8]);
    });

    test('that begins beyond the head waits and skips events before its cursor', async () => {
      const { feed, ingest } = startProcess(store);
      const run = await createLog(store, events(0, 2));
      const reading = followEvents(feed, request(run, { after: 5 }));
      const next = reading.next();
      for (const seq of [3, 5]) await ingest.append(run, batch([sent(seq, { tMs: event(0).tMs })]));
      expect(await isPending(next)).toBe(true);
      await ingest.append(run, batch([sent(6, { tMs: event(0).tMs })]));
      expect((await next).value).toMatchObject({ seq: 6 });
      await reading.return();
    });

    test('of a run that does not exist gets an error', async () => {
      const { feed } = startProcess(store);
      await expect(followBatches(feed, request({ key: 2_000_000_000 })).next()).rejects.toThrow(
        'does not exist',
      );
      expect(feed.watchedRuns()).toBe(0);
    });
  });

  describe('of some kinds', () => {
    const kinds: ReadonlySet<RunnerEventKind> = new Set(['tool_request']);

    test('gets those, and the terminal event whatever the kinds', async () => {
      const { feed } = startProcess(store);
      const run = await createLog(store, [
        event(0),
        event(1, { kind: 'tool_request' }),
        event(2),
        event(3, { kind: 'runtime_terminal' }),
      ]);
      expect(seqs(await readAll(followBatches(feed, request(run, { kinds }))))).toEqual([[1, 3]]);
      expect((await readAll(followEvents(feed, request(run, { kinds })))).map(({ seq }) => seq)).toEqual([
        1, 3,
      ]);
    });

    test('gets `caughtUp` although no event passed', async () => {
      const { feed } = startProcess(store);
      const batches = followBatches(feed, request(await createLog(store, events(0, 9)), { kinds }), 4);
      expect(await take(batches, 1)).toMatchObject([{ events: [], cursor: 8, caughtUp: true }]);
      await batches.return();
    });

    test('gets its progress while nothing passes, and nothing while nothing is stored', async () => {
      const { feed, ingest } = startProcess(store);
      const run = await createRun(store);
      const batches = followBatches(feed, request(run, { kinds }));
      const started = Date.now();
      await take(batches, 1);
      const next = batches.next();
      await ingest.append(run, batch([0, 1]));
      expect((await next).value).toMatchObject({ events: [], cursor: 1, caughtUp: true });
      // Progress is reported once per second, not at once.
      expect(Date.now() - started).toBeGreaterThanOrEqual(1_000);
      expect(await isPending(batches.next())).toBe(true);
      await batches.return();
    });
  });
});
