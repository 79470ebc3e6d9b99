import { beforeAll, describe, expect, test } from 'vitest';
import { RUNNER_EVENT_KINDS } from '../../src/contract/events.ts';
import { EMPTY_HEAD, type Head, type RunRecord, type Store } from '../../src/store/store.ts';
import type { TestDatabase } from '../support/databases.ts';
import { append, createRun, event, events, GREATEST, readLog } from './store-records.ts';

/** After the clock of any database. */
const LATER = 4_000_000_000_009;

/** Tests appending events to logs. */
export function testCommits({ dialect, open }: TestDatabase): void {
  let store: Store;
  beforeAll(async () => {
    store = await open();
  });
  const headOf = async ({ key }: RunRecord): Promise<Head | undefined> =>
    (await store.readHeads([key])).get(key);
  const timesOf = async ({ key }: RunRecord) => {
    const row = await store.catalog.run.findUniqueOrThrow({ where: { key } });
    return [row.startedAt, row.endedAt];
  };

  describe('commits', () => {
    test('one commit appends to many runs, and each has its own events', async () => {
      const runs = await Promise.all(Array.from({ length: 50 }, () => createRun(store)));
      const stored = await store.commit(
        runs.map((run, index) => append(run, EMPTY_HEAD, events(index, 1 + (index % 4)))),
      );
      expect(stored).toEqual(new Set(runs.map(({ key }) => key)));
      for (const [index, run] of runs.entries()) {
        expect(await readLog(store, run)).toEqual(events(index, 1 + (index % 4)));
      }
    });

    test('the head is the one stored with the events', async () => {
      const run = await createRun(store);
      const head: Head = {
        lastSeq: 9,
        lastSourceSeq: 7,
        lastTMs: 1_700_000_000_123,
        eventCount: 5,
        serverEvents: 2,
        dataBytes: 3_000_000_000,
        terminalSeq: 9,
        removedThrough: -1,
        fence: null,
      };
      await store.commit([append(run, EMPTY_HEAD, [event(9)], { head })]);
      expect(await headOf(run)).toEqual(head);
      expect(await store.findRun(run.workspace, run.id)).toEqual({ ...run, ...head });
    });

    test('a log that does not end where expected is unchanged, and so is its head', async () => {
      const run = await createRun(store);
      const first = append(run, EMPTY_HEAD, events(0, 3));
      await store.commit([first]);
      for (const expectedLastSeq of [-1, 1, 3, GREATEST]) {
        const late = append(run, first.head, events(10, 2), { expectedLastSeq, startedAt: 1, endedAt: 2 });
        expect(await store.commit([late])).toEqual(new Set());
      }
      expect(await readLog(store, run)).toEqual(first.events);
      expect(await headOf(run)).toEqual(first.head);
      expect(await timesOf(run)).toEqual([null, null]);
    });

    test('a run that lost the comparison does not delay the other runs of its commit', async () => {
      const [winner, loser, another] = [
        await createRun(store),
        await createRun(store),
        await createRun(store),
      ];
      await store.commit([append(loser, EMPTY_HEAD, events(0, 1))]);
      const stored = await store.commit(
        [winner, loser, another].map((run) => append(run, EMPTY_HEAD, events(5, 2))),
      );
      expect(stored).toEqual(new Set([winner.key, another.key]));
      expect(await readLog(store, winner)).toEqual(events(5, 2));
      expect(await readLog(store, loser)).toEqual(events(0, 1));
    });

    test('nothing is appended to a run that does not exist', async () => {
      const run = await createRun(store);
      const gone = append({ key: 2_000_000_000 }, EMPTY_HEAD, events(0, 1));
      expect(await store.commit([gone, append(run, EMPTY_HEAD, events(0, 1))])).toEqual(new Set([run.key]));
      expect(await store.readPage(2_000_000_000, -1, { maxEvents: 1, maxBytes: 1 })).toBeNull();
    });

    test('an empty commit stores nothing and is not an error', async () => {
      expect(await store.commit([])).toEqual(new Set());
    });

    test('a commit that the database refuses stores nothing for any of its runs', async () => {
      const [run, guilty] = [await createRun(store), await createRun(store)];
      const twice = append(guilty, EMPTY_HEAD, [event(1), event(1)]);
      await expect(store.commit([append(run, EMPTY_HEAD, events(0, 2)), twice])).rejects.toThrow();
      expect(await headOf(run)).toEqual(EMPTY_HEAD);
      expect(await readLog(store, run)).toEqual([]);
      expect(await store.commit([append(run, EMPTY_HEAD, events(0, 2))])).toEqual(new Set([run.key]));
    });

    test('the first start and the first end are kept', async () => {
      const run = await createRun(store);
      const started = append(run, EMPTY_HEAD, events(0, 1), { startedAt: 1_700_000_000_001 });
      const ended = append(run, started.head, events(1, 1), { startedAt: 5, endedAt: LATER });
      const after = append(run, ended.head, events(2, 1), { startedAt: 6, endedAt: 7 });
      await store.commit([started]);
      expect(await timesOf(run)).toEqual([1_700_000_000_001n, null]);
      await store.commit([ended]);
      await store.commit([after]);
      expect(await timesOf(run)).toEqual([1_700_000_000_001n, BigInt(LATER)]);
    });

    test.runIf(dialect === 'postgres')(
      'a run does not end before the database’s clock says so, whatever the clock of the process that commits',
      async () => {
        const [behind, ahead, running] = [
          await createRun(store),
          await createRun(store),
          await createRun(store),
        ];
        const before = await store.readClock();
        await store.commit([
          append(behind, EMPTY_HEAD, events(0, 1), { endedAt: before - 1 }),
          append(ahead, EMPTY_HEAD, events(0, 1), { endedAt: LATER }),
          append(running, EMPTY_HEAD, events(0, 1)),
        ]);
        const [, end] = await timesOf(behind);
        expect(Number(end)).toBeGreaterThanOrEqual(before);
        expect(Number(end)).toBeLessThanOrEqual(await store.readClock());
        expect(await timesOf(ahead)).toEqual([null, BigInt(LATER)]);
        expect(await timesOf(running)).toEqual([null, null]);
      },
    );

    test('every kind of the contract can be stored, and no other', async () => {
      const run = await createRun(store);
      const all = RUNNER_EVENT_KINDS.map((kind, seq) => event(seq, { kind }));
      const first = append(run, EMPTY_HEAD, all);
      await store.commit([first]);
      expect(await readLog(store, run)).toEqual(all);
      // What a faulty program would send, despite its type.
      const unknownKind = 'assistant_thought' as (typeof RUNNER_EVENT_KINDS)[number];
      await expect(
        store.commit([append(run, first.head, [event(20, { kind: unknownKind })])]),
      ).rejects.toThrow(/check|unknown event kind/i);
    });

    test('numbers and times range from 0 to 2^53 - 1', async () => {
      const run = await createRun(store);
      const edges = [
        event(0, { tMs: 0, committedAt: 0 }),
        event(2 ** 31, { tMs: 2 ** 32 }),
        event(GREATEST - 1, { sourceSeq: null, tMs: GREATEST }),
        event(GREATEST, { sourceSeq: GREATEST - 1, tMs: GREATEST, committedAt: GREATEST }),
      ];
      const edge = append(run, EMPTY_HEAD, edges, { startedAt: GREATEST, endedAt: GREATEST });
      await store.commit([edge]);
      expect(await readLog(store, run)).toEqual(edges);
      expect(await headOf(run)).toEqual(edge.head);
      expect(await timesOf(run)).toEqual([BigInt(GREATEST), BigInt(GREATEST)]);
    });

    test('one of many concurrent appends after the same event is stored', async () => {
      const run = await createRun(store);
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          store.commit([append(run, EMPTY_HEAD, events(index * 10, 3))]),
        ),
      );
      const winners = answers.flatMap((stored, index) => (stored.has(run.key) ? [index] : []));
      expect(winners).toHaveLength(1);
      expect(await readLog(store, run)).toEqual(events(winners[0]! * 10, 3));
    });
  });
}
