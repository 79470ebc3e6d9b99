import { expect, onTestFinished, test, vi } from 'vitest';
import { RUN_UPDATE_LIMITS } from '../../src/graphql/runs/updates.ts';
import type { RunListFilter } from '../../src/store/lists.ts';
import { codesOf } from '../support/error-codes.ts';
import { ALL, startUpdates } from '../support/run-updates.ts';
import { ingest, newRun, terminalAt } from '../support/runs.ts';
import { startTransports } from '../support/transports.ts';
import { openWebsocket } from '../support/websocket-client.ts';

/** Creates transports on a store that counts the reads of runs and of their terminal events. */
async function startCounting() {
  const reads = { runs: 0, pages: 0 };
  const { graphql } = await startTransports((store) => ({
    ...store,
    readPage: (...args) => {
      reads.pages += 1;
      return store.readPage(...args);
    },
    catalog: new Proxy(store.catalog, {
      get: (catalog, name) => {
        if (name !== 'run') return Reflect.get(catalog, name);
        return {
          findUniqueOrThrow: catalog.run.findUniqueOrThrow,
          findMany: (query: never) => {
            reads.runs += 1;
            return catalog.run.findMany(query);
          },
        };
      },
    }),
  }));
  return { graphql, reads };
}

test('a change is read and executed once, whatever its subscribers and their filters', async () => {
  const { graphql, reads } = await startCounting();
  const client = await openWebsocket(graphql);
  const query =
    'subscription ($filter: RunFilter) { runUpdated(filter: $filter) { id lastSeq terminal { seq } } }';
  for (let index = 0; index < 200; index += 1) {
    const filter = index % 2 === 0 ? { labels: {} } : { createdFrom: new Date(index % 20) };
    client.subscribe(String(index), query, { filter });
  }
  client.send({ type: 'ping' });
  expect((await client.next()).type).toBe('pong');
  const heard = async () => {
    const ids = new Set<unknown>();
    while (ids.size < 200) ids.add((await client.next()).id);
  };
  await newRun(graphql, 'r1');
  await heard();
  expect(reads).toEqual({ runs: 1, pages: 0 });
  const before = reads.pages;
  await ingest(graphql, 'r1', [terminalAt(0)]);
  const afterIngest = reads.pages;
  await heard();
  expect(reads.runs).toBe(2);
  // The only execution reads the terminal event, and may still be running when the batch is answered.
  expect(reads.pages - Math.min(before, afterIngest)).toBe(1);
});

test('a connection may use a limited number of different filters, each any number of times', async () => {
  const { graphql } = await startTransports();
  const client = await openWebsocket(graphql);
  const query = 'subscription ($time: DateTime) { runUpdated(filter: { createdFrom: $time }) { id } }';
  const { filtersPerConnection } = RUN_UPDATE_LIMITS;
  for (let index = 0; index < filtersPerConnection; index += 1) {
    client.subscribe(`a${index}`, query, { time: new Date(2e13 + index) });
  }
  client.subscribe('same', query, { time: new Date(2e13) });
  client.subscribe('more', query, { time: new Date(0) });
  const refused = await client.next();
  expect(refused).toMatchObject({ id: 'more', type: 'error' });
  expect(codesOf(refused.payload)).toEqual(['OVERLOADED']);
  client.send({ id: 'a5', type: 'complete' });
  client.subscribe('again', query, { time: new Date(0) });
  await newRun(graphql, 'r1');
  expect(await client.next()).toMatchObject({ id: 'again', type: 'next' });
});

test('a subscriber that does not read holds only keys of changed runs, and gets their latest rows', async () => {
  const { open, change, reads } = startUpdates({ keptRows: 2 });
  const reader = await open();
  for (let round = 0; round < 3; round += 1) {
    for (const key of [1, 2, 3, 4]) change(key, round);
    await vi.waitFor(() => expect(reads).toHaveLength(round + 1));
  }
  const taken = new Map<number, bigint[]>();
  while (taken.size < 4) {
    const rows = reader.take();
    if (!rows) await reader.ready();
    for (const { key, lastSeq } of rows ?? []) taken.set(key, [...(taken.get(key) ?? []), lastSeq]);
  }
  expect([...taken].sort()).toEqual([1, 2, 3, 4].map((key) => [key, [2n]]));
  expect(reader.take()).toBeNull();
});

test('a row is prepared once for all filters, which are matched over many event-loop turns', async () => {
  const { open, change, titles } = startUpdates();
  const filters = Array.from({ length: 500 }, (_, index) => ({ ...ALL, words: [`W${index}`] }));
  const readers = await Promise.all(filters.map((filter) => open(filter)));
  let turns = 0;
  const count = () => {
    turns += 1;
    turning = setImmediate(count);
  };
  let turning = setImmediate(count);
  onTestFinished(() => clearImmediate(turning));
  for (let key = 1; key <= 20; key += 1) change(key, 0, 'created', 'w499');
  const last = readers.at(-1)!;
  const taken: number[] = [];
  while (taken.length < 20) {
    await last.ready();
    taken.push(...(last.take() ?? []).map(({ key }) => key));
  }
  // Each filter has two conditions, and 256 conditions fit into a turn.
  expect(turns).toBeGreaterThanOrEqual(Math.floor((20 * 500 * 2) / 256));
  expect(taken).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
  expect(titles()).toBe(20);
  expect(readers[0]!.take()).toBeNull();
});

const titled = (word: string) => ({ ...ALL, words: [word] });
const OVERLOADED = { extensions: { code: 'OVERLOADED' } };

/** Opens different filters on a connection until one is refused; returns their number. */
async function fillUp(
  open: (filter: RunListFilter, connection: object) => Promise<unknown>,
  connection: object,
  most: number,
): Promise<number> {
  const name = Math.random().toString(36);
  for (let count = 0; count < most; count += 1) {
    try {
      await open(titled(`${name} ${count}`), connection);
    } catch (error) {
      expect(error).toMatchObject(OVERLOADED);
      return count;
    }
  }
  return most;
}

test('a connection always gets its first filter; connections with the most are refused first', async () => {
  const { open } = startUpdates({ filters: 4 });
  const counts: number[] = [];
  for (let connection = 0; connection < 60; connection += 1) counts.push(await fillUp(open, {}, 20));
  // At most 40 further filters; later connections get fewer.
  expect(counts.reduce((sum, count) => sum + count - 1, 0)).toBe(40);
  expect(counts[0]).toBeGreaterThan(2);
  expect(counts.at(-1)).toBe(1);
  expect(Math.min(...counts)).toBe(1);
  // The same holds for a request without a known connection.
  await open(titled('a request of its own'));
  const connection = {};
  const reader = await open(titled('first'), connection);
  await expect(open(titled('second'), connection)).rejects.toMatchObject(OVERLOADED);
  await open(ALL, connection).then((everything) => everything.close());
  reader.close();
  await open(titled('second'), connection);
});

test('a filter in use is free for other connections, and an unused one makes room', async () => {
  const { open } = startUpdates({ filters: 1 });
  const shared = await open(titled('shared'), {});
  const connections = Array.from({ length: 30 }, () => ({}));
  for (const connection of connections) {
    await open(titled('shared'), connection);
    await open(titled('of its own'), connection);
  }
  shared.close();
  const { open: openFew } = startUpdates({ filters: 1 });
  const crowd = {};
  const readers = [];
  for (let count = 0; count < 4; count += 1) readers.push(await openFew(titled(`${count}`), crowd));
  await expect(openFew(titled('more'), crowd)).rejects.toMatchObject(OVERLOADED);
  for (const reader of readers) reader.close();
  expect(await fillUp(openFew, {}, 20)).toBe(4);
});

test('a subscriber with too many waiting runs is cut off; others are not', async () => {
  const { open, change } = startUpdates({ waitingRuns: 3 });
  const [slow, quick] = [await open(), await open()];
  for (const key of [1, 2, 3, 4]) {
    change(key, 0);
    await quick.ready();
    expect(quick.take()?.map((row) => row.key)).toEqual([key]);
  }
  expect(() => slow.take()).toThrow('too many changed runs wait');
  change(5, 0);
  await quick.ready();
  expect(quick.take()).toHaveLength(1);
});

test('updates stop listening when the last subscriber has left', async () => {
  const { open, change, reads, listeners } = startUpdates();
  const [one, two] = [await open(), await open()];
  expect(listeners()).toBe(1);
  one.close();
  one.close();
  expect(listeners()).toBe(1);
  two.close();
  expect(listeners()).toBe(0);
  change(1, 0);
  const three = await open();
  change(2, 0);
  await three.ready();
  expect(three.take()?.map(({ key }) => key)).toEqual([2]);
  expect(reads).toEqual([[2]]);
});

test('an end is told once, though its wake arrives again, and the job of an ended run is still told', async () => {
  const { open, change } = startUpdates();
  const reader = await open();
  const told = async () => {
    await reader.ready();
    return reader.take()?.map(({ key, endedAt }) => [key, endedAt]);
  };
  change(1, 3, 'ended');
  expect(await told()).toEqual([[1, 1n]]);
  change(1, 3, 'ended');
  change(1, 3, 'appended');
  change(2, 0);
  expect(await told()).toEqual([[2, null]]);
  change(1, 3, 'job');
  expect(await told()).toEqual([[1, 1n]]);
});
