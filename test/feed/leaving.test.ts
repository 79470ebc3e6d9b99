import { describe, expect, test } from 'vitest';
import { followBatches, followEvents } from '../../src/feed/batches.ts';
import type { Store } from '../../src/store/store.ts';
import { StoreUnavailable } from '../../src/store/unavailable.ts';
import { batch } from '../ingest/sending.ts';
import { createRun } from '../suites/store-records.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { createUnreliablePlane } from '../support/unreliable-plane.ts';
import { isPending, startProcess, take } from './following.ts';

/** A store that can be taken down and counts the calls made while it is down. */
function breakable() {
  const memory = createMemoryStore();
  const state = { down: false, asked: 0 };
  const guarded =
    <Request extends unknown[], Answer>(read: (...request: Request) => Promise<Answer>) =>
    async (...request: Request): Promise<Answer> => {
      state.asked += 1;
      if (state.down) throw new StoreUnavailable('down');
      return read(...request);
    };
  const store: Store = {
    ...memory,
    readHeads: guarded(memory.readHeads),
    readPage: guarded(memory.readPage),
  };
  return { memory, store, state };
}

function honestPlane() {
  return createUnreliablePlane(
    () => 'told',
    async () => {},
  );
}

describe('a reader that leaves', () => {
  test.each([
    ['batches', followBatches],
    ['events', followEvents],
  ] as const)('while it waits for %s ends at once, and the run is no longer followed', async (_, read) => {
    const plane = honestPlane();
    const { store, feed } = startProcess(createMemoryStore(), {}, plane);
    const run = await createRun(store);
    const values = read(feed, { run: run.key, after: -1, kinds: null });
    if (read === followBatches) await values.next();
    const pending = values.next();
    expect(await isPending(pending)).toBe(true);
    expect([feed.watchedRuns(), plane.listeners()]).toEqual([1, 1]);
    expect(await values.return()).toMatchObject({ done: true });
    expect(await pending).toMatchObject({ done: true });
    expect([feed.watchedRuns(), plane.listeners()]).toEqual([0, 0]);
  });

  test('while the run is still being registered or its head read leaves nothing behind', async () => {
    for (let steps = 0; steps < 6; steps++) {
      let turns = 0;
      let goOn = (): void => {};
      const turn = () =>
        turns++ < steps ? Promise.resolve() : new Promise<void>((resolve) => (goOn = resolve));
      const memory = createMemoryStore();
      const run = await createRun(memory);
      const slow: Store = { ...memory, readHeads: (runs) => turn().then(() => memory.readHeads(runs)) };
      const plane = createUnreliablePlane(() => 'told', turn);
      const { feed } = startProcess(slow, {}, plane);
      const values = followEvents(feed, { run: run.key, after: -1, kinds: null });
      const pending = values.next();
      expect(await isPending(pending)).toBe(true);
      await values.return();
      expect(await pending).toMatchObject({ done: true });
      expect(feed.watchedRuns()).toBe(0);
      for (let rest = 0; rest < 4; rest++) {
        goOn();
        await new Promise(setImmediate);
      }
      expect(plane.listeners()).toBe(0);
    }
  });

  test('does not disturb other readers', async () => {
    const plane = honestPlane();
    const { store, feed, ingest } = startProcess(createMemoryStore(), {}, plane);
    const run = await createRun(store);
    const readers = Array.from({ length: 5 }, () =>
      followEvents(feed, { run: run.key, after: -1, kinds: null }),
    );
    const pending = readers.map((reader) => reader.next());
    await isPending(pending[0]!);
    await Promise.all(readers.slice(1).map((reader) => reader.return()));
    expect([feed.watchedRuns(), plane.listeners()]).toEqual([1, 1]);
    await ingest.append(run, batch([0]));
    expect((await pending[0]!).value).toMatchObject({ seq: 0 });
    await readers[0]!.return();
    expect([feed.watchedRuns(), plane.listeners()]).toEqual([0, 0]);
  });

  test('before its first read never follows the run', async () => {
    const { store, feed } = startProcess(createMemoryStore());
    const run = await createRun(store);
    const values = followEvents(feed, { run: run.key, after: -1, kinds: null });
    expect(await values.return()).toMatchObject({ done: true });
    expect(await values.next()).toMatchObject({ done: true });
    expect(feed.watchedRuns()).toBe(0);
  });
});

describe('a store that is down', () => {
  test('for a short time is waited for, at the start and later', async () => {
    const { memory, store, state } = breakable();
    const run = await createRun(memory);
    const { feed, ingest } = startProcess(store, { ringEvents: 1, pageEvents: 2 });
    for (const seq of [0, 1, 2, 3]) await ingest.append(run, batch([seq]));
    state.down = true;
    const events = followEvents(feed, { run: run.key, after: -1, kinds: null });
    const first = events.next();
    state.asked = 0;
    while (state.asked < 2) await new Promise(setImmediate);
    state.down = false;
    expect((await first).value).toMatchObject({ seq: 0 });
    expect(await take(events, 1)).toMatchObject([{ seq: 1 }]);
    state.down = true;
    const third = events.next();
    expect(await isPending(third)).toBe(true);
    state.down = false;
    expect((await third).value).toMatchObject({ seq: 2 });
    await events.return();
  });

  test('for longer than `patienceMs` fails the reader, and the next reader starts fresh', async () => {
    const { memory, store, state } = breakable();
    const run = await createRun(memory);
    const plane = honestPlane();
    const { feed, ingest } = startProcess(store, { patienceMs: 30 }, plane);
    await ingest.append(run, batch([0]));
    const request = { run: run.key, after: -1, kinds: null };
    state.down = true;
    await expect(followEvents(feed, request).next()).rejects.toThrow(StoreUnavailable);
    expect([feed.watchedRuns(), plane.listeners()]).toEqual([0, 0]);
    state.down = false;
    const events = followEvents(feed, request);
    expect(await take(events, 1)).toMatchObject([{ seq: 0 }]);
    await events.return();
  });

  test('for longer than `patienceMs` also fails a reader in the middle of the history', async () => {
    const { memory, store, state } = breakable();
    const run = await createRun(memory);
    const { feed, ingest } = startProcess(store, { patienceMs: 30, pageEvents: 1 });
    for (const seq of [0, 1, 2]) await ingest.append(run, batch([seq]));
    const events = followEvents(feed, { run: run.key, after: -1, kinds: null });
    expect(await take(events, 1)).toMatchObject([{ seq: 0 }]);
    state.down = true;
    await expect(events.next()).rejects.toThrow(StoreUnavailable);
    expect(feed.watchedRuns()).toBe(0);
  });

  test('does not keep a reader from leaving', async () => {
    const { memory, store, state } = breakable();
    const run = await createRun(memory);
    const { feed } = startProcess(store);
    state.down = true;
    const events = followEvents(feed, { run: run.key, after: -1, kinds: null });
    const pending = events.next();
    expect(await isPending(pending)).toBe(true);
    await events.return();
    expect(await pending).toMatchObject({ done: true });
    expect(feed.watchedRuns()).toBe(0);
  });

  test('does not disturb readers that wait for news', async () => {
    const { memory, store, state } = breakable();
    const run = await createRun(memory);
    const { feed, ingest } = startProcess(store, { pollMs: 2 ** 31 - 1 });
    const events = followEvents(feed, { run: run.key, after: -1, kinds: null });
    const next = events.next();
    expect(await isPending(next)).toBe(true);
    state.down = true;
    await feed.poll();
    expect(await isPending(next)).toBe(true);
    state.down = false;
    await ingest.append(run, batch([0]));
    expect((await next).value).toMatchObject({ seq: 0 });
    await events.return();
  });
});
