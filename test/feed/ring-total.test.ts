import { beforeAll, describe, expect, test } from 'vitest';
import { followEvents } from '../../src/feed/batches.ts';
import type { Feed } from '../../src/feed/feed.ts';
import { openStore } from '../../src/store/open.ts';
import type { RunRecord, Store, StoredEvent } from '../../src/store/store.ts';
import { batch, sent } from '../ingest/sending.ts';
import { createRun } from '../suites/store-records.ts';
import { freshSqliteUrl } from '../support/databases.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { countingReads, startProcess, take } from './following.ts';

const TOTAL = 1_000_000;
const ASCII = JSON.stringify({ text: 'x'.repeat(50_000) });
const TWO_BYTE = JSON.stringify({ text: `Ā${'x'.repeat(50_000)}` });

let store: Store;
beforeAll(async () => {
  store = await openStore(await freshSqliteUrl());
  releaseAfterwards(() => store.close());
});

type Events = AsyncGenerator<StoredEvent, void, undefined>;

/** Opens a reader of a run without history. The reader follows the run when this resolves. */
async function follow(
  feed: Feed,
  run: RunRecord,
): Promise<{ readonly events: Events; readonly first: ReturnType<Events['next']> }> {
  const before = feed.watchedRuns();
  const events = followEvents(feed, { run: run.key, after: -1, kinds: null });
  const first = events.next();
  while (feed.watchedRuns() === before) await new Promise(setImmediate);
  for (let turns = 0; turns < 5; turns++) await new Promise(setImmediate);
  return { events, first };
}

describe('the rings of all followed runs', () => {
  test.each([
    ['one byte', ASCII],
    ['two bytes', TWO_BYTE],
  ])('hold no more than the total at %s per character, and every reader gets everything', async (_, data) => {
    const { feed, ingest } = startProcess(store, { ringsBytes: TOTAL, cachedPageBytes: 1 });
    const readers = [];
    for (let index = 0; index < 40; index++) {
      const run = await createRun(store);
      readers.push({ run, ...(await follow(feed, run)) });
    }
    let most = 0;
    for (let seq = 0; seq < 3; seq++) {
      for (const { run } of readers) {
        await ingest.append(run, batch([sent(seq, { data })]));
        most = Math.max(most, feed.ringBytes());
        expect(feed.ringBytes()).toBeLessThanOrEqual(TOTAL);
      }
    }
    // The last of the 120 events are kept as far as they fit.
    const eventBytes = data.length * (data === TWO_BYTE ? 2 : 1);
    expect(most).toBeGreaterThan(TOTAL - 4 * eventBytes);
    for (const { events, first } of readers) {
      expect((await first).value).toMatchObject({ seq: 0 });
      expect((await take(events, 2)).map(({ seq }) => seq)).toEqual([1, 2]);
      await events.return();
    }
    await new Promise(setImmediate);
    expect(feed.ringBytes()).toBe(0);
  });

  test('deliver to readers that keep up without reading pages, whatever other rings hold', async () => {
    const counting = countingReads(store);
    const { feed, ingest } = startProcess(counting.store, { ringsBytes: TOTAL });
    const runs = await Promise.all(Array.from({ length: 30 }, () => createRun(store)));
    const readers: { readonly run: RunRecord; readonly events: Events; next: ReturnType<Events['next']> }[] =
      [];
    for (const run of runs) {
      const { events, first } = await follow(feed, run);
      readers.push({ run, events, next: first });
    }
    for (let seq = 0; seq < 4; seq++) {
      for (const reader of readers) {
        await ingest.append(reader.run, batch([sent(seq, { data: TWO_BYTE })]));
        expect((await reader.next).value).toMatchObject({ seq });
        reader.next = reader.events.next();
      }
    }
    expect(counting.reads()).toBe(0);
    await Promise.all(readers.map(({ events }) => events.return()));
  });

  test('deliver an event that is larger than the total', async () => {
    const { feed, ingest } = startProcess(store, { ringsBytes: 1_000 });
    const run = await createRun(store);
    const { events, first } = await follow(feed, run);
    await ingest.append(run, batch([sent(0, { data: TWO_BYTE })]));
    expect((await first).value).toMatchObject({ seq: 0 });
    expect(feed.ringBytes()).toBe(0);
    await events.return();
  });

  test('are released by a reader that leaves while its run is still being opened', async () => {
    const { feed, ingest } = startProcess(store, { ringsBytes: TOTAL });
    const run = await createRun(store);
    for (let seq = 0; seq < 20; seq++) {
      const events = followEvents(feed, { run: run.key, after: -1, kinds: null });
      events.next().catch(() => {});
      const appended = ingest.append(run, batch([sent(seq, { data: ASCII })]));
      for (let ticks = 0; ticks < seq; ticks++) await Promise.resolve();
      await Promise.all([events.return(), appended]);
    }
    for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate);
    expect([feed.watchedRuns(), feed.ringBytes()]).toEqual([0, 0]);
  });
});
