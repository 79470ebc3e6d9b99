import pg from 'pg';
import { beforeAll, expect, test } from 'vitest';
import { EventsRemoved, followBatches, followEvents } from '../../src/feed/batches.ts';
import { Database } from '../../src/store/sqlite-file/driver.ts';
import type { RunRecord, Store } from '../../src/store/store.ts';
import { batch, sent } from '../ingest/sending.ts';
import { createLog, event, events } from '../suites/store-records.ts';
import { describeStores } from '../support/databases.ts';
import { readAll, startProcess, take } from './following.ts';

describeStores('a gap that retention left', ({ dialect, freshUrl, open }) => {
  let url: string;
  let store: Store;
  beforeAll(async () => {
    url = await freshUrl();
    store = await open(url);
  });

  /** Does by hand what retention does: first the mark, then the deletes. */
  async function removeThrough(run: RunRecord, seq: number): Promise<void> {
    const statements = [
      `UPDATE run SET removed_through = ${seq} WHERE key = ${run.key}`,
      `DELETE FROM event WHERE run = ${run.key} AND seq <= ${seq}`,
    ];
    if (dialect === 'sqlite') {
      const database = new Database(url.slice('file:'.length));
      for (const statement of statements) database.exec(statement);
      database.close();
      return;
    }
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    for (const statement of statements) await client.query(statement);
    await client.end();
  }

  const terminal = event(9, { kind: 'runtime_terminal' });

  test('is shown in batches, which continue after it', async () => {
    const { feed } = startProcess(store);
    const run = await createLog(store, [...events(0, 9), terminal]);
    await removeThrough(run, 4);
    const batches = await readAll(followBatches(feed, { run: run.key, after: 1, kinds: null }));
    expect(batches).toMatchObject([
      { events: [], cursor: 4, gap: { fromSeq: 2, toSeq: 4 }, caughtUp: false, ended: false },
      { cursor: 9, gap: null, caughtUp: true, ended: true },
    ]);
    expect(batches[1]!.events).toEqual([...events(5, 4), terminal]);
  });

  test('ends a reader of single events with the number to continue from', async () => {
    const { feed } = startProcess(store);
    const run = await createLog(store, [...events(0, 9), terminal]);
    await removeThrough(run, 4);
    const failed = followEvents(feed, { run: run.key, after: -1, kinds: null }).next();
    await expect(failed).rejects.toThrow(EventsRemoved);
    await expect(failed).rejects.toMatchObject({ through: 4 });
    expect(await readAll(followEvents(feed, { run: run.key, after: 4, kinds: null }))).toHaveLength(5);
    expect(feed.watchedRuns()).toBe(0);
  });

  test('is not shown to a reader that already has the events', async () => {
    const { feed } = startProcess(store);
    const run = await createLog(store, [...events(0, 9), terminal]);
    await removeThrough(run, 4);
    const batches = await readAll(followBatches(feed, { run: run.key, after: 4, kinds: null }));
    expect(batches.map(({ gap }) => gap)).toEqual([null]);
  });

  test('is shown to a reader that retention overtakes', async () => {
    const { feed } = startProcess(store, { pageEvents: 2 });
    const run = await createLog(store, [...events(0, 9), terminal]);
    const batches = followBatches(feed, { run: run.key, after: -1, kinds: null });
    expect(await take(batches, 1)).toMatchObject([{ cursor: 1, gap: null }]);
    await removeThrough(run, 6);
    const rest = await readAll(batches);
    expect(rest[0]).toMatchObject({ events: [], cursor: 6, gap: { fromSeq: 2, toSeq: 6 } });
    expect(rest.slice(1).flatMap(({ events }) => events)).toEqual([...events(7, 2), terminal]);
  });

  test('keeps the terminal event and the numbers: a late batch is refused as run_terminated', async () => {
    const { feed, ingest } = startProcess(store);
    const run = await createLog(store, [...events(0, 9), terminal]);
    await removeThrough(run, 8);
    const batches = await readAll(followBatches(feed, { run: run.key, after: -1, kinds: null }));
    expect(batches).toMatchObject([{ gap: { fromSeq: 0, toSeq: 8 } }, { events: [{ seq: 9 }], ended: true }]);
    const tMs = terminal.tMs;
    expect(await ingest.append(run, batch([sent(10, { tMs })]))).toMatchObject({ code: 'run_terminated' });
  });
});
