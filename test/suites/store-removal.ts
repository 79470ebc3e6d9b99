import { beforeAll, describe, expect, test } from 'vitest';
import {
  EMPTY_HEAD,
  type EndedPlace,
  type EndedRun,
  type RunRecord,
  type Store,
  type StoredEvent,
} from '../../src/store/store.ts';
import type { TestDatabase } from '../support/databases.ts';
import { append, createRun, event, events, GREATEST, readLog, setEnd } from './store-records.ts';

const ENOUGH = { maxEvents: 1_000, maxBytes: GREATEST };
const START: EndedPlace = { endedAt: -1, key: -1 };

/** Tests removing the history of ended runs. */
export function testRemoval({ open }: TestDatabase): void {
  let store: Store;
  beforeAll(async () => {
    store = await open();
  });
  /** Creates a run with these events, then its terminal one, number `terminalSeq`. */
  async function endedLog(
    history: readonly StoredEvent[],
    terminalSeq: number,
    endedAt: number,
    at: Store = store,
  ): Promise<RunRecord> {
    const run = await createRun(at);
    const log = [...history, event(terminalSeq, { kind: 'runtime_terminal' })];
    await at.commit([append(run, EMPTY_HEAD, log, { endedAt })]);
    await setEnd(at, run, endedAt);
    return run;
  }
  const headOf = async ({ key }: RunRecord) => (await store.readHeads([key])).get(key)!;
  const seqsOf = async (run: RunRecord) => (await readLog(store, run)).map(({ seq }) => seq);

  describe('ended runs', () => {
    test('are listed in the order in which they ended, each once, in pages of any size', async () => {
      const own = await open();
      const runs: RunRecord[] = [];
      for (const endedAt of [500, 100, 300, 300, 300, 900]) {
        runs.push(await endedLog(events(0, 2), 2, endedAt, own));
      }
      await own.commit([append(await createRun(own), EMPTY_HEAD, events(0, 2))]);
      const expected = [1, 2, 3, 4, 0].map((index) => runs[index]!.key);
      for (const limit of [1, 2, 3, 5, 10]) {
        const found: EndedRun[] = [];
        for (let page = await own.readEnded(START, 900, limit); page.length > 0; ) {
          expect(page.length).toBeLessThanOrEqual(limit);
          found.push(...page);
          page = await own.readEnded(found.at(-1)!, 900, limit);
        }
        expect(found.map(({ key }) => key)).toEqual(expected);
        expect(found.map(({ endedAt }) => endedAt)).toEqual([100, 300, 300, 300, 500]);
      }
    });

    test('have ended by the database’s clock, which is in whole milliseconds', async () => {
      const now = await store.readClock();
      expect(Number.isInteger(now)).toBe(true);
      expect(Math.abs(now - Date.now())).toBeLessThan(60_000);
    });

    test('are removed once their terminal event is set aside, and not before', async () => {
      const own = await open();
      const run = await endedLog(events(0, 2), 2, 1, own);
      const bare = await endedLog([], 0, 2, own);
      const removed = async () => (await own.readEnded(START, 10, 10)).map((found) => found.removed);
      await own.markRemoved(run.key);
      expect(await removed()).toEqual([false, false]);
      await own.deleteRemoved(run.key, -1, ENOUGH);
      expect(await removed()).toEqual([false, false]);
      await own.setTerminalAside(run.key);
      expect(await removed()).toEqual([true, false]);
      await own.setTerminalAside(bare.key);
      expect(await removed()).toEqual([true, true]);
    });
  });

  describe('the removal mark', () => {
    test('moves to the last event before the terminal one, and nothing else changes', async () => {
      const run = await endedLog([event(3), event(7)], 20, 1);
      const before = await headOf(run);
      await store.markRemoved(run.key);
      expect(await headOf(run)).toEqual({ ...before, removedThrough: 7 });
      expect(await seqsOf(run)).toEqual([3, 7, 20]);
      await store.markRemoved(run.key);
      expect(await headOf(run)).toEqual({ ...before, removedThrough: 7 });
    });

    test('stays where it is in a run that continues, has nothing to remove, or does not exist', async () => {
      const running = await createRun(store);
      await store.commit([append(running, EMPTY_HEAD, events(0, 3))]);
      const bare = await endedLog([], 5, 1);
      for (const key of [running.key, bare.key, 2_000_000_000]) await store.markRemoved(key);
      expect((await headOf(running)).removedThrough).toBe(-1);
      expect((await headOf(bare)).removedThrough).toBe(-1);
    });
  });

  describe('a terminal event that was set aside', () => {
    const terminal = event(9, { kind: 'runtime_terminal', sourceSeq: 7, data: '{"outcome":"\\u0000 é"}' });

    async function setAside(): Promise<RunRecord> {
      const run = await createRun(store);
      await store.commit([append(run, EMPTY_HEAD, [event(0), event(4), terminal], { endedAt: 1 })]);
      await store.markRemoved(run.key);
      await store.deleteRemoved(run.key, -1, ENOUGH);
      await store.setTerminalAside(run.key);
      return run;
    }

    test('is in every page that contained it before, and in no other', async () => {
      const run = await setAside();
      for (const limits of [ENOUGH, { maxEvents: 1, maxBytes: 1 }]) {
        for (const after of [-1, 0, 4, 8]) {
          expect((await store.readPage(run.key, after, limits))?.events).toEqual([terminal]);
          expect((await store.readPage(run.key, after, limits, 'backward'))?.events).toEqual([]);
        }
        for (const before of [10, GREATEST]) {
          expect((await store.readPage(run.key, before, limits))?.events).toEqual([]);
          expect((await store.readPage(run.key, before, limits, 'backward'))?.events).toEqual([terminal]);
        }
        for (const direction of ['forward', 'backward'] as const) {
          expect((await store.readPage(run.key, 9, limits, direction))?.events).toEqual([]);
        }
      }
    });

    test('is left out of a strict page that it does not fit in, which names it, whatever its size', async () => {
      for (const length of [10, 100_000]) {
        const data = JSON.stringify({ outcome: 'completed', text: 'é'.repeat(length) });
        const large = event(9, { kind: 'runtime_terminal', data });
        const run = await createRun(store);
        await store.commit([append(run, EMPTY_HEAD, [event(0), large], { endedAt: 1 })]);
        await store.markRemoved(run.key);
        await store.deleteRemoved(run.key, -1, ENOUGH);
        await store.setTerminalAside(run.key);
        const bytes = Buffer.byteLength(data);
        const read = (maxBytes: number) =>
          store.readPage(run.key, 8, { maxEvents: 1, maxBytes, strict: true });
        expect(await read(bytes - 1)).toMatchObject({
          events: [],
          omitted: { seq: 9, kind: 'runtime_terminal', bytes },
        });
        const page = await read(bytes);
        expect(page?.events).toEqual([large]);
        expect(page?.omitted).toBeUndefined();
        expect((await store.readPage(run.key, 10, ENOUGH, 'backward'))?.events).toEqual([large]);
      }
    });

    test("is found by its producer's number", async () => {
      const run = await setAside();
      const found = (sourceSeqs: number[], maxDataBytes: number) =>
        store.readProduced(
          run.key,
          sourceSeqs.map((sourceSeq) => ({ sourceSeq, maxDataBytes })),
          0,
        );
      expect(await found([0, 4, 7], 1_000)).toEqual([terminal]);
      expect(await found([0, 4, 7], 1)).toEqual([{ ...terminal, data: null }]);
      expect(await found([0, 4, 9], 1_000)).toEqual([]);
    });

    test('is not moved while events are left before it, or while the run continues', async () => {
      const whole = await endedLog(events(0, 3), 3, 1);
      const running = await createRun(store);
      await store.commit([append(running, EMPTY_HEAD, events(0, 1))]);
      const aside = await setAside();
      for (const key of [whole.key, running.key, aside.key, 2_000_000_000]) {
        await store.setTerminalAside(key);
      }
      expect(await seqsOf(whole)).toEqual([0, 1, 2, 3]);
      expect(await seqsOf(running)).toEqual([0]);
      expect(await seqsOf(aside)).toEqual([9]);
    });
  });

  describe('deleting removed events', () => {
    test('runs in steps, oldest first, up to the mark and no further', async () => {
      const run = await endedLog(events(0, 7), 7, 1);
      await store.markRemoved(run.key);
      const step = { maxEvents: 3, maxBytes: GREATEST };
      expect(await store.deleteRemoved(run.key, -1, step)).toBe(2);
      expect(await seqsOf(run)).toEqual([3, 4, 5, 6, 7]);
      expect(await store.deleteRemoved(run.key, 2, step)).toBe(5);
      expect(await store.deleteRemoved(run.key, 5, step)).toBe(6);
      expect(await store.deleteRemoved(run.key, 6, step)).toBeNull();
      expect(await seqsOf(run)).toEqual([7]);
      expect(await store.deleteRemoved(run.key, -1, step)).toBeNull();
    });

    test('deletes nothing that the mark does not cover', async () => {
      const unmarked = await endedLog(events(0, 3), 3, 1);
      const running = await createRun(store);
      await store.commit([append(running, EMPTY_HEAD, events(0, 3))]);
      for (const run of [unmarked, running]) {
        expect(await store.deleteRemoved(run.key, -1, ENOUGH)).toBeNull();
      }
      expect(await store.deleteRemoved(2_000_000_000, -1, ENOUGH)).toBeNull();
      expect(await seqsOf(unmarked)).toEqual([0, 1, 2, 3]);
      expect(await seqsOf(running)).toEqual([0, 1, 2]);
    });

    test("does not touch other runs' events", async () => {
      const runs = [await endedLog(events(0, 3), 3, 1), await endedLog(events(0, 3), 3, 1)];
      for (const { key } of runs) await store.markRemoved(key);
      await store.deleteRemoved(runs[0]!.key, -1, ENOUGH);
      expect(await seqsOf(runs[0]!)).toEqual([3]);
      expect(await seqsOf(runs[1]!)).toEqual([0, 1, 2, 3]);
    });

    test('deletes at least one event however big it is, and ends a step early for big ones', async () => {
      // Random, because Postgres would compress it to almost nothing.
      const text = () =>
        Array.from({ length: 5_000 }, () => Math.random().toString(36).slice(2, 12)).join('');
      const big = [0, 1, 2].map((seq) => event(seq, { data: JSON.stringify({ text: text() }) }));
      const run = await endedLog(big, 3, 1);
      await store.markRemoved(run.key);
      const step = { maxEvents: 10, maxBytes: 1 };
      for (const seq of [0, 1, 2]) expect(await store.deleteRemoved(run.key, seq - 1, step)).toBe(seq);
      expect(await store.deleteRemoved(run.key, 2, step)).toBeNull();
    });

    test('leaves the record of the run unchanged', async () => {
      const run = await endedLog(events(0, 5), 5, 77);
      const before = await headOf(run);
      await store.markRemoved(run.key);
      await store.deleteRemoved(run.key, -1, ENOUGH);
      expect(await headOf(run)).toEqual({ ...before, removedThrough: 4 });
      const row = await store.catalog.run.findUniqueOrThrow({ where: { key: run.key } });
      expect([row.eventCount, row.lastSeq, row.endedAt]).toEqual([6n, 5n, 77n]);
      expect(await store.readEnded({ endedAt: 76, key: 0 }, 78, 10)).toContainEqual({
        key: run.key,
        workspace: run.workspace,
        endedAt: 77,
        removed: false,
      });
    });
  });
}
