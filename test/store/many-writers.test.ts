import pg from 'pg';
import { expect, test } from 'vitest';
import { EMPTY_HEAD, type Head, type RunRecord, type Store } from '../../src/store/store.ts';
import { append, createRun, event, events, readLog } from '../suites/store-records.ts';
import { describePostgres } from '../support/databases.ts';

const RUNS = 20;
const ROUNDS = 500;
/** Coprime with the number of runs: each gives a different order, and those of 1 and 19 are reversed. */
const STRIDES = [1, 19, 7, 13] as const;

describePostgres('several processes on one Postgres database', ({ open, freshUrl }) => {
  const openTwo = async (): Promise<[Store, Store]> => {
    const url = await freshUrl();
    return [await open(url), await open(url)];
  };
  const createRuns = (store: Store) => Promise.all(Array.from({ length: RUNS }, () => createRun(store)));

  test('exactly one of the appends after an event wins, in any order and without deadlock', async () => {
    const stores = await openTwo();
    const runs = await createRuns(stores[0]);
    let head: Head = EMPTY_HEAD;
    const winners = new Map(runs.map(({ key }) => [key, [] as number[]]));
    for (let round = 0; round < ROUNDS; round += 1) {
      const answers = await Promise.all(
        STRIDES.map((stride, writer) => {
          const order = runs.map((_, index) => runs[(index * stride + round) % RUNS]!);
          const data = JSON.stringify({ writer });
          return stores[writer % 2]!.commit(order.map((run) => append(run, head, [event(round, { data })])));
        }),
      );
      for (const { key } of runs) {
        const won = answers.flatMap((stored, writer) => (stored.has(key) ? [writer] : []));
        expect(won).toHaveLength(1);
        winners.get(key)!.push(won[0]!);
      }
      head = append(runs[0]!, head, [event(round)]).head;
    }
    for (const run of runs) {
      const writers = (await readLog(stores[0], run)).map(({ data }) => JSON.parse(data).writer);
      expect(writers).toEqual(winners.get(run.key));
    }
  });

  test('writers that never wait for each other lose and duplicate nothing', async () => {
    const stores = await openTwo();
    const runs = await createRuns(stores[0]);
    const appendUntilWon = async (writer: number): Promise<number> => {
      const store = stores[writer % 2]!;
      const heads = new Map<number, Head>(runs.map(({ key }) => [key, EMPTY_HEAD]));
      let won = 0;
      for (let round = 0; round < 100; round += 1) {
        const stride = STRIDES[writer % STRIDES.length]!;
        const chosen = runs.filter((_, index) => (index * stride + round) % 3 !== 0);
        const appends = chosen.map((run) => {
          const head = heads.get(run.key)!;
          return append(run, head, events(head.lastSeq + 1, 2));
        });
        const stored = await store.commit(appends);
        for (const one of appends) if (stored.has(one.run)) heads.set(one.run, one.head);
        const lost = appends.flatMap(({ run }) => (stored.has(run) ? [] : [run]));
        for (const [run, head] of await store.readHeads(lost)) heads.set(run, head);
        won += stored.size;
      }
      return won;
    };
    const won = await Promise.all(STRIDES.map((_, writer) => appendUntilWon(writer)));
    const logs = await Promise.all(runs.map((run) => readLog(stores[1], run)));
    for (const log of logs) expect(log.map(({ seq }) => seq)).toEqual(log.map((_, index) => index));
    expect(logs.reduce((sum, log) => sum + log.length, 0)).toBe(
      2 * won.reduce((sum, count) => sum + count, 0),
    );
    expect(Math.min(...won)).toBeGreaterThan(0);
  });

  test('a run whose row is locked is skipped at once, and the other runs are stored', async () => {
    const url = await freshUrl();
    const store = await open(url);
    const [held, free]: RunRecord[] = [await createRun(store), await createRun(store)];
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      await client.query('BEGIN');
      await client.query('SELECT 1 FROM run WHERE key = $1 FOR UPDATE', [held!.key]);
      const appends = [held!, free!].map((run) => append(run, EMPTY_HEAD, events(0, 1)));
      expect(await store.commit(appends)).toEqual(new Set([free!.key]));
      await client.query('ROLLBACK');
      expect(await store.commit(appends)).toEqual(new Set([held!.key]));
    } finally {
      await client.end();
    }
  });
});
