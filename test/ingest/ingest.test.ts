import pg from 'pg';
import { beforeAll, expect, test } from 'vitest';
import { createIngest, type Ingest } from '../../src/ingest/ingest.ts';
import { Database } from '../../src/store/sqlite-file/driver.ts';
import type { Store, StoredEvent } from '../../src/store/store.ts';
import { createLocalPlane } from '../../src/wakeups/local.ts';
import type { WakeupPlane } from '../../src/wakeups/plane.ts';
import { createRun, readLog } from '../suites/store-records.ts';
import { describeStores } from '../support/databases.ts';
import { batch, numbersOf, producedIn, sent } from './sending.ts';

const OWN = { kind: 'notification', data: '{"own":true}' } as const;

describeStores('ingest', ({ dialect, freshUrl, open }) => {
  let url: string;
  let store: Store;
  let plane: WakeupPlane;
  let ingest: Ingest;
  beforeAll(async () => {
    url = await freshUrl();
    store = await open(url);
    plane = createLocalPlane();
    ingest = createIngest(store, plane);
  });

  /** Counts a run's events over a separate database connection. */
  async function countElsewhere(run: number): Promise<number> {
    const sql = 'SELECT count(*) AS count FROM event WHERE run = ';
    if (dialect === 'sqlite') {
      const database = new Database(url.slice('file:'.length), { readonly: true });
      try {
        return database.prepare<[], { count: number }>(`${sql}${run}`).get()!.count;
      } finally {
        database.close();
      }
    }
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      return Number((await client.query<{ count: string }>(`${sql}${run}`)).rows[0]!.count);
    } finally {
      await client.end();
    }
  }

  test('a batch is answered with the head after it, and is then visible to every reader', async () => {
    const run = await createRun(store);
    for (let first = 0; first < 60; first += 3) {
      const answer = await ingest.append(run, batch([first, first + 1, first + 2], first - 1));
      expect(await countElsewhere(run.key)).toBe(first + 3);
      expect(answer).toMatchObject({ ok: true, accepted: 3, duplicates: 0, head: { lastSeq: first + 2 } });
    }
    const page = await store.readPage(run.key, -1, { maxEvents: 1, maxBytes: 1 });
    expect(page?.head).toMatchObject({ lastSeq: 59, lastSourceSeq: 59, eventCount: 60, terminalSeq: null });
  });

  test('exact and overlapping retries succeed, and are stored once', async () => {
    const run = await createRun(store);
    await ingest.append(run, batch([0, 1, 2]));
    expect(await ingest.append(run, batch([0, 1, 2], 99))).toMatchObject({
      ok: true,
      accepted: 0,
      duplicates: 3,
    });
    expect(await ingest.append(run, batch([1, 2, 3, 5]))).toMatchObject({
      ok: true,
      accepted: 2,
      duplicates: 2,
    });
    expect(await producedIn(store, run)).toEqual([0, 1, 2, 3, 5]);
  });

  test('waiting retries are looked up in bounded groups', async () => {
    const run = await createRun(store);
    const numbers = Array.from({ length: 20_000 }, (_, number) => number);
    const portions = Array.from({ length: 80 }, (_, portion) =>
      numbers.slice(portion * 250, (portion + 1) * 250),
    );
    for (const portion of portions) await ingest.append(run, batch(portion));
    const lookedUp: number[] = [];
    const counting: Store = {
      ...store,
      readProduced: (key, numbers, serverEvents) => {
        lookedUp.push(numbers.length);
        return store.readProduced(key, numbers, serverEvents);
      },
    };
    const retried = createIngest(counting, plane);
    const answers = await Promise.all(portions.map((portion) => retried.append(run, batch(portion))));
    for (const answer of answers) expect(answer).toMatchObject({ ok: true, accepted: 0, duplicates: 250 });
    expect(Math.max(...lookedUp)).toBeLessThan(8_192 + 250);
    await retried.close();
  });

  test('data counts as equal only if its text is equal', async () => {
    const run = await createRun(store);
    const data = JSON.stringify({ b: '\u0000\ud800', a: 1e21 });
    await ingest.append(run, batch([sent(0, { data })]));
    expect(await ingest.append(run, batch([sent(0, { data })]))).toMatchObject({ ok: true, duplicates: 1 });
    const reordered = JSON.stringify({ a: 1e21, b: '\u0000\ud800' });
    const answer = await ingest.append(run, batch([sent(0, { data: reordered })]));
    expect(answer).toMatchObject({ ok: false, code: 'seq_conflict', eventIndex: 0 });
  });

  test.each([
    ['a conflict', [0, 7, sent(8, { data: '{}' }), 9], 'seq_conflict', 2],
    ['a late number', [3, 9, 10], 'seq_not_monotonic', 0],
    ['an early time', [8, 9, sent(10, { tMs: 999 })], 't_ms_not_monotonic', 2],
    ['a number of the server', [9, 2 ** 53 - 1], 'invalid_event', 1],
  ] as const)('with %s anywhere nothing of the batch is stored', async (_, events, code, eventIndex) => {
    const run = await createRun(store);
    await ingest.append(run, batch([0, 7, 8]));
    expect(await ingest.append(run, batch(events))).toMatchObject({ ok: false, code, eventIndex });
    expect(await producedIn(store, run)).toEqual([0, 7, 8]);
    expect(await ingest.append(run, batch([9]))).toMatchObject({
      ok: true,
      head: { lastSeq: 9, eventCount: 4 },
    });
  });

  test('after the terminal event only retries are accepted', async () => {
    const run = await createRun(store);
    const last = batch([0, sent(1, { kind: 'runtime_terminal' })]);
    expect(await ingest.append(run, last)).toMatchObject({ ok: true, head: { terminalSeq: 1 } });
    expect(await ingest.append(run, batch([2]))).toMatchObject({ ok: false, code: 'run_terminated' });
    expect(await ingest.appendOwn(run, OWN)).toMatchObject({ ok: false, code: 'run_terminated' });
    expect(await ingest.append(run, last)).toMatchObject({
      ok: true,
      duplicates: 2,
      head: { terminalSeq: 1 },
    });
    expect(await store.findRun(run.workspace, run.id)).toMatchObject({ lastSeq: 1, terminalSeq: 1 });
  });

  test('retries are recognized however many server events lie in between', async () => {
    const run = await createRun(store);
    await ingest.appendOwn(run, OWN);
    await ingest.append(run, batch([0, 1], -1));
    for (let count = 0; count < 5; count++) await ingest.appendOwn(run, OWN);
    await ingest.append(run, batch([2, 3, 40], 1));
    await ingest.appendOwn(run, OWN);
    const seqs = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 40, 41];
    const sources = [null, 0, 1, null, null, null, null, null, 2, 3, 40, null];
    const expected = seqs.map((seq, index) => ({ seq, sourceSeq: sources[index] }));
    expect(await numbersOf(store, run)).toEqual(expected);
    const retry = await ingest.append(run, batch([0, 1, 2, 3, 40]));
    expect(retry).toMatchObject({ ok: true, accepted: 0, duplicates: 5 });
    expect(await ingest.append(run, batch([4]))).toMatchObject({ ok: false, code: 'seq_not_monotonic' });
    expect(await ingest.append(run, batch([5, 40]))).toMatchObject({ ok: false, eventIndex: 0 });
    expect(await numbersOf(store, run)).toEqual(expected);
    expect(await ingest.append(run, batch([41], 40))).toMatchObject({ ok: true, head: { lastSeq: 42 } });
  });

  test('simultaneous batches are judged in turn, including duplicates of waiting batches', async () => {
    const run = await createRun(store);
    const answers = await Promise.all([
      ingest.append(run, batch([0, 1], -1)),
      ingest.append(run, batch([0, 1], -1)),
      ingest.append(run, batch([1, 2], 0)),
      ingest.append(run, batch([sent(2, { data: '{}' })])),
      ingest.appendOwn(run, OWN),
      ingest.append(run, batch([9], 8)),
      ingest.append(run, batch([sent(3, { kind: 'runtime_terminal' })], 2)),
      ingest.append(run, batch([4], 3)),
    ]);
    expect(answers).toMatchObject([
      { ok: true, accepted: 2, duplicates: 0 },
      { ok: true, accepted: 0, duplicates: 2 },
      { ok: true, accepted: 1, duplicates: 1 },
      { ok: false, code: 'seq_conflict' },
      { ok: true, accepted: 1 },
      { ok: false, code: 'seq_gap', expectedSeq: 2 },
      { ok: true, accepted: 1, head: { terminalSeq: 4 } },
      { ok: false, code: 'run_terminated' },
    ]);
    expect(await producedIn(store, run)).toEqual([0, 1, 2, 3]);
  });

  test('the wakes of a run are its log in pieces, each with the number of its predecessor', async () => {
    const run = await createRun(store);
    const told: StoredEvent[] = [];
    let end = -1;
    const stop = await plane.listen(run.key, ({ chunk, kind }) => {
      expect(chunk?.previousSeq).toBe(end);
      told.push(...(chunk?.events ?? []));
      end = chunk?.head.lastSeq ?? end;
      expect(kind).toBe(chunk?.head.terminalSeq === null ? 'appended' : 'ended');
    });
    await Promise.all([0, 1, 2].map((seq) => ingest.append(run, batch([seq]))));
    await ingest.append(run, batch([0]));
    await ingest.appendOwn(run, OWN);
    await ingest.append(run, batch([9, sent(20, { kind: 'runtime_terminal' })]));
    stop();
    expect(told).toEqual(await readLog(store, run));
    expect(told).toHaveLength(6);
  });
});
