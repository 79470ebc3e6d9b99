import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  EMPTY_HEAD,
  type FoundEvent,
  type PageLimits,
  type Store,
  type StoredEvent,
} from '../../src/store/store.ts';
import type { TestDatabase } from '../support/databases.ts';
import { append, createLog, createRun, event, events, GREATEST } from './store-records.ts';

const UNLIMITED: PageLimits = { maxEvents: 1_000, maxBytes: GREATEST };

/** Returns the page that the contract defines for a list read from its start. */
function expectedPage(ordered: readonly StoredEvent[], { maxEvents, maxBytes }: PageLimits): StoredEvent[] {
  const page: StoredEvent[] = [];
  let bytes = 0;
  for (const next of ordered.slice(0, maxEvents)) {
    if (bytes >= maxBytes) break;
    page.push(next);
    bytes += Buffer.byteLength(next.data);
  }
  return page;
}

/** Tests reading logs. */
export function testPages({ open }: TestDatabase): void {
  let store: Store;
  beforeAll(async () => {
    store = await open();
  });

  describe('pages', () => {
    test('a page contains the events after the cursor, in order, and the head', async () => {
      const run = await createLog(store, events(10, 5));
      const page = await store.readPage(run.key, 11, UNLIMITED);
      expect(page?.events).toEqual(events(12, 3));
      expect(page?.head).toEqual(append(run, EMPTY_HEAD, events(10, 5)).head);
    });

    test('a backward page contains the events before the cursor, nearest first', async () => {
      const run = await createLog(store, events(10, 5));
      const page = await store.readPage(run.key, 13, UNLIMITED, 'backward');
      expect(page?.events).toEqual(events(10, 3).reverse());
      expect(page?.head.lastSeq).toBe(14);
    });

    test('an empty log, and a cursor at the end, give an empty page with the head', async () => {
      const empty = await createRun(store);
      expect(await store.readPage(empty.key, -1, UNLIMITED)).toEqual({ events: [], head: EMPTY_HEAD });
      const run = await createLog(store, events(0, 2));
      const atEnd = await store.readPage(run.key, 1, UNLIMITED);
      expect(atEnd).toEqual({ events: [], head: append(run, EMPTY_HEAD, events(0, 2)).head });
      expect((await store.readPage(run.key, 0, UNLIMITED, 'backward'))?.events).toEqual([]);
    });

    test('a run that does not exist has no page', async () => {
      expect(await store.readPage(2_000_000_000, -1, UNLIMITED)).toBeNull();
      expect(await store.readPage(2_000_000_000, GREATEST, UNLIMITED, 'backward')).toBeNull();
    });

    test("a page never contains another run's events", async () => {
      const runs = await Promise.all([createLog(store, events(0, 3)), createLog(store, events(0, 3))]);
      const own = event(3, { data: '{"own":true}' });
      const head = append(runs[0], EMPTY_HEAD, events(0, 3)).head;
      await store.commit([append(runs[0], head, [own])]);
      expect((await store.readPage(runs[0].key, 1, UNLIMITED))?.events).toEqual([event(2), own]);
      expect((await store.readPage(runs[1].key, 1, UNLIMITED))?.events).toEqual([event(2)]);
    });

    test('the first event is returned however big it is, and the next one only in the next page', async () => {
      const big = event(0, { data: JSON.stringify({ text: 'x'.repeat(3_000_000) }) });
      const run = await createLog(store, [big, event(1)]);
      const first = await store.readPage(run.key, -1, { maxEvents: 10, maxBytes: 1 });
      expect(first?.events).toEqual([big]);
      const second = await store.readPage(run.key, 0, { maxEvents: 10, maxBytes: 1 });
      expect(second?.events).toEqual([event(1)]);
    });

    test('bytes are counted in UTF-8', async () => {
      const data = JSON.stringify({ text: '日本語'.repeat(100) });
      const run = await createLog(store, [event(0, { data }), event(1, { data }), event(2, { data })]);
      const limit = Buffer.byteLength(data);
      const page = await store.readPage(run.key, -1, { maxEvents: 10, maxBytes: limit });
      expect(page?.events.map(({ seq }) => seq)).toEqual([0]);
      const larger = await store.readPage(run.key, -1, { maxEvents: 10, maxBytes: limit + 1 });
      expect(larger?.events.map(({ seq }) => seq)).toEqual([0, 1]);
    });

    test('a strict page never exceeds its bytes, and names the event that would, in both directions', async () => {
      const sized = (seq: number, length: number) =>
        event(seq, { data: JSON.stringify({ text: 'é'.repeat(length) }) });
      const bytesOf = ({ data }: StoredEvent) => Buffer.byteLength(data);
      // Stores may read large data separately from small data.
      const log = [sized(0, 10), sized(1, 300_000), sized(2, 20), sized(3, 100_000)];
      const run = await createLog(store, log);
      const read = async (after: number, maxBytes: number, direction?: 'backward') => {
        const page = await store.readPage(
          run.key,
          after,
          { maxEvents: 3, maxBytes, strict: true },
          direction,
        );
        return { seqs: page?.events.map(({ seq }) => seq), omitted: page?.omitted, events: page?.events };
      };
      const named = (seq: number) => ({ seq, kind: log[seq]!.kind, bytes: bytesOf(log[seq]!) });
      expect(await read(-1, 10)).toMatchObject({ seqs: [], omitted: named(0) });
      expect(await read(-1, 1_000)).toMatchObject({ seqs: [0], omitted: named(1) });
      const two = bytesOf(log[0]!) + bytesOf(log[1]!);
      expect(await read(-1, two - 1)).toMatchObject({ seqs: [0], omitted: named(1) });
      expect(await read(-1, two)).toMatchObject({ seqs: [0, 1], omitted: named(2) });
      expect(await read(-1, GREATEST)).toEqual({
        seqs: [0, 1, 2],
        omitted: undefined,
        events: log.slice(0, 3),
      });
      expect(await read(4, 300_000, 'backward')).toMatchObject({ seqs: [3, 2], omitted: named(1) });
      expect(await read(2, 10, 'backward')).toMatchObject({ seqs: [], omitted: named(1) });
      expect(await read(1, 1_000, 'backward')).toMatchObject({ seqs: [0], omitted: undefined });
      expect(await read(3, 10)).toMatchObject({ seqs: [], omitted: undefined });
    });

    test('any cursor, limits and direction give the same page as a plain list', async () => {
      const log = Array.from({ length: 40 }, (_, index) =>
        event(index * 3, { data: JSON.stringify({ text: 'é'.repeat((index * 37) % 90) }) }),
      );
      const run = await createLog(store, log);
      const limits = fc.record({
        maxEvents: fc.integer({ min: 1, max: 45 }),
        maxBytes: fc.integer({ min: 1, max: 4_000 }),
      });
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: -1, max: 130 }), limits, async (cursor, limit) => {
          const after = log.filter(({ seq }) => seq > cursor);
          const before = log.filter(({ seq }) => seq < cursor).reverse();
          expect((await store.readPage(run.key, cursor, limit))?.events).toEqual(expectedPage(after, limit));
          const back = await store.readPage(run.key, cursor, limit, 'backward');
          expect(back?.events).toEqual(expectedPage(before, limit));
        }),
        { numRuns: 150 },
      );
    });
  });

  describe("the producer's events", () => {
    const asked = (...sourceSeqs: number[]) =>
      sourceSeqs.map((sourceSeq) => ({ sourceSeq, maxDataBytes: 1_000 }));
    const numbers = (found: readonly FoundEvent[]) =>
      found.map(({ seq, sourceSeq }) => [sourceSeq, seq]).sort();

    test('are found by their own numbers while the log contains no others', async () => {
      const run = await createLog(store, [event(2), event(5), event(9)]);
      const found = await store.readProduced(run.key, asked(2, 3, 9), 0);
      expect(numbers(found)).toEqual([
        [2, 2],
        [9, 9],
      ]);
      expect(found.find(({ seq }) => seq === 2)).toEqual(event(2));
      expect(await store.readProduced(run.key, [], 0)).toEqual([]);
      expect(await store.readProduced(2_000_000_000, asked(2), 0)).toEqual([]);
    });

    test("are found behind the server's own events, which are never returned", async () => {
      const own = (seq: number) => event(seq, { sourceSeq: null });
      const log = [
        event(0),
        own(1),
        own(2),
        event(3, { sourceSeq: 1 }),
        event(4, { sourceSeq: 2 }),
        own(5),
        event(9),
      ];
      const run = await createLog(store, log);
      const found = await store.readProduced(run.key, asked(0, 1, 2, 3, 4, 5, 9), 3);
      expect(numbers(found)).toEqual([
        [0, 0],
        [1, 3],
        [2, 4],
        [9, 9],
      ]);
    });

    test('are found without data that is longer than requested', async () => {
      const data = JSON.stringify({ text: '€'.repeat(30) });
      const run = await createLog(store, [event(0, { data }), event(1, { data })]);
      const bytes = Buffer.byteLength(data);
      const found = await store.readProduced(
        run.key,
        [
          { sourceSeq: 0, maxDataBytes: bytes },
          { sourceSeq: 1, maxDataBytes: bytes - 1 },
        ],
        0,
      );
      expect(found).toEqual([event(0, { data }), { ...event(1), data: null }]);
    });

    test('are found at the highest numbers', async () => {
      const last = event(GREATEST, { sourceSeq: GREATEST - 1 });
      const run = await createLog(store, [event(GREATEST - 1, { sourceSeq: null }), last]);
      expect(await store.readProduced(run.key, asked(GREATEST - 1), 1)).toEqual([last]);
    });
  });
}
