import { beforeAll, describe, expect, test } from 'vitest';
import { Overloaded, ShuttingDown } from '../../src/ingest/faults.ts';
import { createIngest, INGEST_LIMITS } from '../../src/ingest/ingest.ts';
import type { Append, Store } from '../../src/store/store.ts';
import { StoreUnavailable } from '../../src/store/unavailable.ts';
import { createLocalPlane } from '../../src/wakeups/local.ts';
import { createRun, newRun } from '../suites/store-records.ts';
import { describeStores } from '../support/databases.ts';
import { type CommitFault, failingCommits } from '../support/faulty-store.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { batch, producedIn, sent } from './sending.ts';

const POISON = sent(0, { data: '{"poison":true}' });

function isPoisoned(appends: readonly Append[]): boolean {
  return appends.some(({ events }) => events.some(({ data }) => data === POISON.data));
}

/** Returns an outcome as a word: the number of accepted events, a rejection's code, or an error's name. */
async function wordFor(answer: Promise<{ ok: true; accepted: number } | { ok: false; code: string }>) {
  try {
    const outcome = await answer;
    return outcome.ok ? outcome.accepted : outcome.code;
  } catch (error) {
    return error instanceof Error ? error.name : error;
  }
}

describeStores('a store that fails', ({ open }) => {
  let store: Store;
  beforeAll(async () => {
    store = await open();
  });

  function ingestWith(faultOf: (appends: readonly Append[]) => CommitFault | null) {
    return createIngest(failingCommits(store, faultOf), createLocalPlane());
  }

  test('a batch that cannot be stored fails alone, without the other batches of its group', async () => {
    const ingest = ingestWith((appends) => (isPoisoned(appends) ? 'refused' : null));
    const runs = await Promise.all(Array.from({ length: 8 }, () => createRun(store)));
    const answers = runs.map((run, index) => ingest.append(run, batch([index === 3 ? POISON : sent(0), 1])));
    const words = await Promise.all(answers.map(wordFor));
    expect(words).toEqual([2, 2, 2, 'Error', 2, 2, 2, 2]);
    const stored = await Promise.all(runs.map((run) => producedIn(store, run)));
    expect(stored).toEqual(runs.map((_, index) => (index === 3 ? [] : [0, 1])));
  });

  test('batches judged after one that fails are judged again without it', async () => {
    const ingest = ingestWith((appends) => (isPoisoned(appends) ? 'refused' : null));
    const run = await createRun(store);
    const words = await Promise.all([
      wordFor(ingest.append(run, batch([{ ...POISON, kind: 'runtime_terminal' }]))),
      wordFor(ingest.append(run, batch([0, 1], -1))),
      wordFor(ingest.append(run, batch([2], 1))),
    ]);
    expect(words).toEqual(['Error', 2, 1]);
    expect(await producedIn(store, run)).toEqual([0, 1, 2]);
  });

  test('a duplicate of a batch whose commit fails is stored in its place', async () => {
    let commits = 0;
    // The group fails, then the first of the two batches fails alone.
    const ingest = ingestWith(() => (commits++ < 2 ? 'refused' : null));
    const run = await createRun(store);
    const words = await Promise.all([
      wordFor(ingest.append(run, batch([0, 1]))),
      wordFor(ingest.append(run, batch([0, 1]))),
    ]);
    expect(words).toEqual(['Error', 2]);
    expect(await producedIn(store, run)).toEqual([0, 1]);
  });

  test('a connection lost before the commit fails the whole group, and a retry stores it', async () => {
    let faults: (CommitFault | null)[] = ['lost before'];
    const ingest = ingestWith(() => faults.shift() ?? null);
    const runs = await Promise.all([createRun(store), createRun(store)]);
    const send = () => Promise.all(runs.map((run) => wordFor(ingest.append(run, batch([0, 1], -1)))));
    expect(await send()).toEqual(['StoreUnavailable', 'StoreUnavailable']);
    expect(await producedIn(store, runs[0]!)).toEqual([]);
    expect(await send()).toEqual([2, 2]);
    faults = ['lost before'];
    await expect(ingest.append(runs[0]!, batch([2], 1))).rejects.toThrow(StoreUnavailable);
    expect(await wordFor(ingest.append(runs[0]!, batch([2], 1)))).toBe(1);
    expect(await producedIn(store, runs[0]!)).toEqual([0, 1, 2]);
  });

  test('a connection lost after the commit also fails the group, and a retry finds duplicates', async () => {
    const faults: (CommitFault | null)[] = [null, 'lost after'];
    const ingest = ingestWith(() => faults.shift() ?? null);
    const run = await createRun(store);
    await ingest.append(run, batch([0]));
    await expect(ingest.append(run, batch([1, 2], 0))).rejects.toThrow(StoreUnavailable);
    const retry = await ingest.append(run, batch([1, 2, 3], 0));
    expect(retry).toMatchObject({
      ok: true,
      accepted: 1,
      duplicates: 2,
      head: { lastSeq: 3, eventCount: 4 },
    });
    expect(await producedIn(store, run)).toEqual([0, 1, 2, 3]);
  });

  test('above the limit of waiting bytes a batch is Overloaded, and none of it is stored', async () => {
    const ingest = createIngest(store, createLocalPlane(), { ...INGEST_LIMITS, maxWaitingBytes: 10_000 });
    const run = await createRun(store);
    const big = (seq: number) => batch([sent(seq, { data: JSON.stringify('x'.repeat(4_000)) })]);
    const words = await Promise.all([0, 1, 2, 3].map((seq) => wordFor(ingest.append(run, big(seq)))));
    expect(words).toEqual([1, 1, 'Overloaded', 'Overloaded']);
    expect(await producedIn(store, run)).toEqual([0, 1]);
    expect(await Promise.all([2, 3].map((seq) => wordFor(ingest.append(run, big(seq)))))).toEqual([1, 1]);
  });

  test('failed batches no longer count as waiting', async () => {
    let down = true;
    const faulty = failingCommits(store, () => (down ? 'lost before' : null));
    const ingest = createIngest(faulty, createLocalPlane(), { ...INGEST_LIMITS, maxWaitingBytes: 5_000 });
    const run = await createRun(store);
    const big = batch([sent(0, { data: JSON.stringify('x'.repeat(4_000)) })]);
    for (let tries = 0; tries < 3; tries++) {
      await expect(ingest.append(run, big)).rejects.toThrow(StoreUnavailable);
    }
    down = false;
    expect(await wordFor(ingest.append(run, big))).toBe(1);
  });

  test('closing answers waiting batches and refuses later ones', async () => {
    const ingest = createIngest(store, createLocalPlane());
    const run = await createRun(store);
    const waiting = [0, 1, 2].map((seq) => wordFor(ingest.append(run, batch([seq]))));
    const closed = ingest.close();
    await expect(ingest.append(run, batch([3]))).rejects.toThrow(ShuttingDown);
    await expect(ingest.appendOwn(run, { kind: 'notification', data: '{}' })).rejects.toThrow(ShuttingDown);
    await closed;
    expect(await producedIn(store, run)).toEqual([0, 1, 2]);
    expect(await Promise.all(waiting)).toEqual([1, 1, 1]);
  });
});

describe('the memory of ingest', () => {
  test('a batch that always loses the race fails with Overloaded', async () => {
    const memory = createMemoryStore();
    const { run } = await memory.createRun(newRun());
    const losing: Store = { ...memory, commit: async () => new Set() };
    const ingest = createIngest(losing, createLocalPlane(), { ...INGEST_LIMITS, maxContentionMs: 20 });
    await expect(ingest.append(run, batch([0]))).rejects.toThrow(Overloaded);
    await ingest.close();
  });

  test('heads of a group stay cached while its other heads are read', async () => {
    const memory = createMemoryStore();
    let commits = 0;
    const counting: Store = {
      ...memory,
      commit: (appends) => {
        commits += 1;
        return memory.commit(appends);
      },
    };
    const runs = [];
    for (let count = 0; count < 11_000; count++) runs.push((await memory.createRun(newRun())).run);
    const ingest = createIngest(counting, createLocalPlane());
    // As many as the cache holds, oldest first.
    for (let first = 0; first < 10_000; first += 1_000) {
      await Promise.all(runs.slice(first, first + 1_000).map((run) => ingest.append(run, batch([0]))));
    }
    commits = 0;
    const group = [runs[0]!, ...runs.slice(10_000)];
    const answers = await Promise.all(group.map((run) => ingest.append(run, batch([1]))));
    expect(answers.every(({ ok }) => ok)).toBe(true);
    expect(commits).toBe(1);
  });
});
