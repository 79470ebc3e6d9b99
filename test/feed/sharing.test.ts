import { beforeAll, expect, test } from 'vitest';
import { followBatches, followEvents } from '../../src/feed/batches.ts';
import { openStore } from '../../src/store/open.ts';
import type { RunRecord, Store } from '../../src/store/store.ts';
import { batch, sent } from '../ingest/sending.ts';
import { createLog, createRun, event } from '../suites/store-records.ts';
import { freshSqliteUrl } from '../support/databases.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { countingReads, readAll, startProcess, take } from './following.ts';

const EVENTS = 50_000;
const PAGE_EVENTS = 1_000;

let store: Store;
let history: RunRecord;

beforeAll(async () => {
  store = await openStore(await freshSqliteUrl());
  releaseAfterwards(() => store.close());
  history = await createLog(
    store,
    Array.from({ length: EVENTS }, (_, seq) =>
      event(seq, seq === EVENTS - 1 ? { kind: 'runtime_terminal' } : {}),
    ),
  );
});

test('a long history is delivered completely, page by page', async () => {
  const counting = countingReads(store);
  const { feed } = startProcess(counting.store, { pageEvents: PAGE_EVENTS });
  const batches = await readAll(followBatches(feed, { run: history.key, after: -1, kinds: null }));
  const seqs = batches.flatMap(({ events }) => events.map(({ seq }) => seq));
  expect(seqs).toEqual(Array.from({ length: EVENTS }, (_, seq) => seq));
  expect(batches.at(-1)).toMatchObject({ cursor: EVENTS - 1, caughtUp: true, ended: true });
  expect(counting.reads()).toBe(EVENTS / PAGE_EVENTS);
});

test('readers at the same place share reads: each page is read once however many read it', async () => {
  const counting = countingReads(store);
  const { feed } = startProcess(counting.store, { pageEvents: PAGE_EVENTS });
  const reading = Array.from({ length: 40 }, async (_, index) => {
    let count = 0;
    const request = { run: history.key, after: -1, kinds: null };
    // The readers' batches differ in size, so they are out of step but read the same pages.
    for await (const { events } of followBatches(feed, request, 100 + index * 7)) count += events.length;
    return count;
  });
  expect(await Promise.all(reading)).toEqual(Array(40).fill(EVENTS));
  expect(counting.reads()).toBe(EVENTS / PAGE_EVENTS);
});

test('a reader that keeps up with a live run never reads a page', async () => {
  // Without polls: a poll that reads a head before its wake-up arrives makes readers read the page
  // themselves.
  const counting = countingReads(store);
  const { feed, ingest } = startProcess(counting.store, { pollMs: 600_000 });
  const run = await createRun(store);
  const readers = Array.from({ length: 10 }, () =>
    followEvents(feed, { run: run.key, after: -1, kinds: null }),
  );
  // Each reader gets its first event, so that each follows the run before the count begins.
  const first = Promise.all(readers.map((reader) => reader.next()));
  await ingest.append(run, batch([0]));
  await first;
  const before = counting.reads();
  const reading = readers.map((reader) => readAll(reader));
  for (let seq = 1; seq < 200; seq++) await ingest.append(run, batch([seq], seq - 1));
  await ingest.append(run, batch([sent(200, { kind: 'runtime_terminal' })]));
  for (const got of await Promise.all(reading)) expect(got.map(({ seq }) => seq)).toHaveLength(200);
  expect(counting.reads() - before).toBe(0);
});

test('a reader that falls out of the ring reads pages until it catches up, and misses nothing', async () => {
  const counting = countingReads(store);
  const { feed, ingest } = startProcess(counting.store, { ringEvents: 8, pageEvents: 16 });
  const run = await createRun(store);
  const slow = followEvents(feed, { run: run.key, after: -1, kinds: null });
  const quick = followEvents(feed, { run: run.key, after: -1, kinds: null });
  const starting = [slow.next(), quick.next()];
  await new Promise(setImmediate);
  await ingest.append(run, batch([0]));
  await Promise.all(starting);
  for (let seq = 1; seq < 100; seq++) {
    await ingest.append(run, batch([seq]));
    await take(quick, 1);
  }
  expect(counting.reads()).toBe(0);
  const missed = await take(slow, 99);
  expect(missed.map(({ seq }) => seq)).toEqual(Array.from({ length: 99 }, (_, index) => index + 1));
  // 99 events minus those still in the ring, 16 per page.
  expect(counting.reads()).toBeLessThanOrEqual(6);
  await ingest.append(run, batch([100]));
  expect(await take(slow, 1)).toMatchObject([{ seq: 100 }]);
  await Promise.all([slow.return(), quick.return()]);
});

test('an event larger than the ring and a page is delivered from both', async () => {
  const { feed, ingest } = startProcess(store, {
    ringBytes: 1_000,
    pageBytes: 1_000,
    cachedPageBytes: 1_000,
  });
  const run = await createRun(store);
  const big = JSON.stringify({ text: 'x'.repeat(100_000) });
  const reading = readAll(followEvents(feed, { run: run.key, after: -1, kinds: null }));
  for (const seq of [0, 1, 2]) await ingest.append(run, batch([sent(seq, { data: big })]));
  await ingest.append(run, batch([sent(3, { kind: 'runtime_terminal' })]));
  expect((await reading).map(({ data }) => data.length)).toEqual([
    big.length,
    big.length,
    big.length,
    '{"n":3}'.length,
  ]);
  expect(await readAll(followEvents(feed, { run: run.key, after: 1, kinds: null }))).toHaveLength(2);
});
