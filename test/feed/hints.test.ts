import { describe, expect, test } from 'vitest';
import { followBatches, followEvents } from '../../src/feed/batches.ts';
import { judgeBatch, type ProducedEvent } from '../../src/ingest/judge.ts';
import type { Head, RunRecord, Store } from '../../src/store/store.ts';
import type { Chunk, WakeupPlane } from '../../src/wakeups/plane.ts';
import { batch, sent } from '../ingest/sending.ts';
import { createRun, newRun } from '../suites/store-records.ts';
import { createMemoryStore, type MemoryStore } from '../support/memory-store.ts';
import { isPending, readAll, startProcess, take } from './following.ts';

/** Long enough never to pass within a test: the poll is called by hand. */
const NEVER_MS = 2 ** 31 - 1;

const TERMINAL = sent(2, { kind: 'runtime_terminal' });

/** Commits events without a wake and returns the chunk that a wake would have carried. */
async function commitSilently(
  store: Store,
  run: RunRecord,
  ...seqs: (number | ProducedEvent)[]
): Promise<Chunk> {
  const before = (await store.readHeads([run.key])).get(run.key)!;
  const verdict = judgeBatch(before, batch(seqs), () => undefined, 0);
  if (!verdict.ok) throw new Error(verdict.message);
  const { fresh: events, head } = verdict;
  const append = {
    run: run.key,
    expectedLastSeq: before.lastSeq,
    events,
    head,
    startedAt: null,
    endedAt: null,
  };
  expect(await store.commit([append])).toContain(run.key);
  return { previousSeq: before.lastSeq, events, head };
}

function tell(plane: WakeupPlane, run: RunRecord, chunk: Chunk | null): void {
  plane.publish([
    { run: run.key, workspace: run.workspace, kind: 'appended', lastSeq: chunk?.head.lastSeq ?? -1, chunk },
  ]);
}

function follow(run: RunRecord, after = -1) {
  return { run: run.key, after, kinds: null };
}

describe('a wake', () => {
  test('that was lost is made up for by the poll, and counted', async () => {
    const { store, feed } = startProcess(createMemoryStore(), { pollMs: NEVER_MS });
    const run = await createRun(store);
    const events = followEvents(feed, follow(run));
    const next = events.next();
    expect(await isPending(next)).toBe(true);
    await commitSilently(store, run, 0);
    expect(await isPending(next)).toBe(true);
    await feed.poll();
    expect((await next).value).toMatchObject({ seq: 0 });
    expect(feed.foundByPoll()).toBe(1);
    await feed.poll();
    expect(feed.foundByPoll()).toBe(1);
    await events.return();
  });

  test('that was lost is made up for by the timer', async () => {
    const { store, feed } = startProcess(createMemoryStore(), { pollMs: 5 });
    const run = await createRun(store);
    const events = followEvents(feed, follow(run));
    const next = events.next();
    expect(await isPending(next)).toBe(true);
    await commitSilently(store, run, 0);
    expect((await next).value).toMatchObject({ seq: 0 });
    await events.return();
  });

  test('that arrives twice, late or out of order neither repeats nor hides events', async () => {
    const { store, plane, feed } = startProcess(createMemoryStore(), { pollMs: NEVER_MS });
    const run = await createRun(store);
    const events = followEvents(feed, follow(run));
    const next = events.next();
    expect(await isPending(next)).toBe(true);
    const chunks = [];
    for (const seq of [0, 5, 9]) chunks.push(await commitSilently(store, run, seq, seq + 1));
    for (const index of [1, 0, 1, 2, 2, 0, 1]) tell(plane, run, chunks[index]!);
    expect((await next).value).toMatchObject({ seq: 0 });
    expect((await take(events, 5)).map(({ seq }) => seq)).toEqual([1, 5, 6, 9, 10]);
    expect(await isPending(events.next())).toBe(true);
    expect(feed.foundByPoll()).toBe(0);
    await events.return();
  });

  test('for a chunk whose predecessor was not announced leaves no gap', async () => {
    const { store, plane, feed } = startProcess(createMemoryStore(), { pollMs: NEVER_MS });
    const run = await createRun(store);
    const events = followEvents(feed, follow(run));
    const next = events.next();
    expect(await isPending(next)).toBe(true);
    tell(plane, run, await commitSilently(store, run, 0));
    await next;
    await commitSilently(store, run, 3, 4);
    tell(plane, run, await commitSilently(store, run, 8));
    expect((await take(events, 3)).map(({ seq }) => seq)).toEqual([3, 4, 8]);
    await events.return();
  });

  test('that arrives while the head is still being read counts, and the newest of several wins', async () => {
    const memory = createMemoryStore();
    const run = await createRun(memory);
    let release = (_: ReadonlyMap<number, Head>): void => {};
    const slow: Store = { ...memory, readHeads: () => new Promise((resolve) => (release = resolve)) };
    const { plane, feed } = startProcess(slow, { pollMs: NEVER_MS });
    const batches = followBatches(feed, follow(run, 100));
    const first = batches.next();
    expect(await isPending(first)).toBe(true);
    const stale = await memory.readHeads([run.key]);
    const chunks = [await commitSilently(memory, run, 0), await commitSilently(memory, run, 1, TERMINAL)];
    for (const chunk of chunks.reverse()) tell(plane, run, chunk);
    release(stale);
    expect(await first).toMatchObject({ done: true });
  });
});

describe('a read that began before a commit and ends after it', () => {
  test('does not move the head back when it brings news of retention', async () => {
    const memory = createMemoryStore();
    const { run } = await memory.createRun(newRun());
    await commitSilently(memory, run, 0, 1, 2);
    const held: (() => void)[] = [];
    // The reader knows the head from before retention. Its page is read after retention and arrives late.
    const store: Store = {
      ...memory,
      readPage: async (...request) => {
        memory.removeThrough(run.key, 0);
        const page = await memory.readPage(...request);
        await new Promise<void>((resolve) => held.push(resolve));
        return page;
      },
    };
    const { plane, feed } = startProcess(store, { pollMs: NEVER_MS });
    const batches = followBatches(feed, follow(run));
    const first = batches.next();
    expect(await isPending(first)).toBe(true);
    tell(plane, run, await commitSilently(memory, run, sent(3, { kind: 'runtime_terminal' })));
    held[0]!();
    expect((await first).value).toMatchObject({ gap: { fromSeq: 0, toSeq: 0 }, caughtUp: false });
    const rest = readAll(batches);
    while (await isPending(rest)) held.at(-1)!();
    const got = await rest;
    expect(got.flatMap(({ events }) => events.map(({ seq }) => seq))).toEqual([1, 2, 3]);
    expect(got.at(-1)).toMatchObject({ caughtUp: true, ended: true });
  });

  test('shows the gap to a reader that does not know of retention yet', async () => {
    const memory = createMemoryStore();
    const { run } = await memory.createRun(newRun());
    await commitSilently(memory, run, 0, 1, 2);
    const heads: (() => void)[] = [];
    const pages: (() => void)[] = [];
    const store: Store = {
      ...memory,
      readHeads: async (runs) => {
        const answer = await memory.readHeads(runs);
        await new Promise<void>((resolve) => heads.push(resolve));
        return answer;
      },
      readPage: async (...request) => {
        await new Promise<void>((resolve) => pages.push(resolve));
        return memory.readPage(...request);
      },
    };
    const { feed } = startProcess(store, { pollMs: NEVER_MS });
    const leaving = followBatches(feed, follow(run));
    const left = leaving.next();
    expect(await isPending(left)).toBe(true);
    heads[0]!();
    expect(await isPending(left)).toBe(true);
    await leaving.return();
    const batches = followBatches(feed, follow(run));
    const first = batches.next();
    expect(await isPending(first)).toBe(true);
    // The first reader's page is read after retention, the second reader's head before it.
    memory.removeThrough(run.key, 1);
    pages[0]!();
    expect(await isPending(first)).toBe(true);
    heads[1]!();
    expect((await first).value).toMatchObject({ gap: { fromSeq: 0, toSeq: 1 } });
    expect(await take(batches, 1)).toMatchObject([{ events: [{ seq: 2 }] }]);
    await batches.return();
  });

  test('a head from memory does not undo what is known of retention', async () => {
    const { store, plane, feed } = startProcess(createMemoryStore(), { pollMs: NEVER_MS, ringEvents: 1 });
    const run = await createRun(store);
    const memory = store as MemoryStore;
    const watching = followEvents(feed, follow(run));
    const next = watching.next();
    expect(await isPending(next)).toBe(true);
    for (const seq of [0, 1, 2]) tell(plane, run, await commitSilently(store, run, seq));
    await next;
    memory.removeThrough(run.key, 1);
    // Another reader reads past the gap, so that the page is cached.
    expect(await take(followBatches(feed, follow(run)), 1)).toMatchObject([
      { gap: { fromSeq: 0, toSeq: 1 } },
    ]);
    // The process that commits does not know of retention.
    const chunk = await commitSilently(store, run, 3);
    tell(plane, run, { ...chunk, head: { ...chunk.head, removedThrough: -1 } });
    const late = followBatches(feed, follow(run));
    expect(await take(late, 1)).toMatchObject([{ gap: { fromSeq: 0, toSeq: 1 } }]);
    await Promise.all([watching.return(), late.return()]);
  });
});
