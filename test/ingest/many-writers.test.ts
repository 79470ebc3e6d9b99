import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { createIngest, type Ingest } from '../../src/ingest/ingest.ts';
import type { RunKey } from '../../src/store/run-keys.ts';
import type { Store } from '../../src/store/store.ts';
import { createLocalPlane } from '../../src/wakeups/local.ts';
import { createRun, readLog } from '../suites/store-records.ts';
import { describePostgres, describeStores } from '../support/databases.ts';
import { batch, producedIn, sent } from './sending.ts';

const OWN = { kind: 'notification', data: '{"own":true}' } as const;

/** One action of a writer: sends a range of the run's numbers, or adds a server event. */
type Deed = { readonly first: number; readonly count: number } | 'add';

/** Independent writers: ranges of one number space, overlapping, late and repeated. */
const deeds: fc.Arbitrary<readonly (readonly Deed[])[]> = fc.array(
  fc.array(
    fc.oneof(
      { weight: 5, arbitrary: fc.record({ first: fc.nat(24), count: fc.integer({ min: 1, max: 6 }) }) },
      { weight: 1, arbitrary: fc.constant('add' as const) },
    ),
    { minLength: 1, maxLength: 4 },
  ),
  { minLength: 1, maxLength: 12 },
);

/** Runs all writers at once, each with its actions in order, and compares answers with stored events. */
async function letAllWrite(
  store: Store,
  run: RunKey,
  ingests: readonly Ingest[],
  writers: readonly (readonly Deed[])[],
) {
  const stored = new Set<number>();
  let accepted = 0;
  let added = 0;
  const work = writers.map(async (own, index) => {
    const ingest = ingests[index % ingests.length]!;
    for (const deed of own) {
      if (deed === 'add') {
        expect(await ingest.appendOwn(run, OWN)).toMatchObject({ ok: true, accepted: 1 });
        added += 1;
        continue;
      }
      const numbers = Array.from({ length: deed.count }, (_, offset) => deed.first + offset);
      const answer = await ingest.append(run, batch(numbers));
      if (answer.ok) {
        expect(answer.accepted + answer.duplicates).toBe(deed.count);
        expect(answer.head.lastSourceSeq).toBeGreaterThanOrEqual(numbers.at(-1)!);
        accepted += answer.accepted;
        for (const number of numbers) stored.add(number);
      } else {
        // All writers send the same content in order: the only possible mistake is to be late.
        expect(answer.code).toBe('seq_not_monotonic');
      }
    }
  });
  await Promise.all(work);
  const log = await readLog(store, run);
  expect(await producedIn(store, run)).toEqual([...stored].sort((a, b) => a - b));
  expect(accepted).toBe(stored.size);
  expect(log).toHaveLength(stored.size + added);
  const head = (await store.readHeads([run.key])).get(run.key);
  expect(head).toMatchObject({ lastSeq: log.at(-1)?.seq ?? -1, eventCount: log.length, serverEvents: added });
}

describeStores('many writers', ({ open }) => {
  let store: Store;
  beforeAll(async () => {
    store = await open();
  });

  test('batches of 64 producers for one run at once are stored once each, in order', async () => {
    const ingest = createIngest(store, createLocalPlane());
    const run = await createRun(store);
    const batches = Array.from({ length: 64 }, (_, index) =>
      batch([index * 2, index * 2 + 1], index * 2 - 1),
    );
    const answers = await Promise.all([...batches, ...batches].map((each) => ingest.append(run, each)));
    expect(answers.map((answer) => answer.ok && answer.accepted)).toEqual([
      ...Array<number>(64).fill(2),
      ...Array<number>(64).fill(0),
    ]);
    expect(await producedIn(store, run)).toEqual(Array.from({ length: 128 }, (_, seq) => seq));
  });

  test('64 runs written at once each get their own events', async () => {
    const ingest = createIngest(store, createLocalPlane());
    const runs = await Promise.all(Array.from({ length: 64 }, () => createRun(store)));
    const work = runs.map(async (run, index) => {
      for (let seq = 0; seq < 5; seq++)
        await ingest.append(run, batch([sent(seq, { data: `{"run":${index}}` })]));
    });
    await Promise.all(work);
    for (const [index, run] of runs.entries()) {
      const log = await readLog(store, run);
      expect(log.map(({ data }) => data)).toEqual(Array<string>(5).fill(`{"run":${index}}`));
    }
  });

  test('whatever they send, exactly the accepted events are stored', { timeout: 60_000 }, async () => {
    const ingest = createIngest(store, createLocalPlane());
    await fc.assert(
      fc.asyncProperty(deeds, async (writers) => {
        await letAllWrite(store, await createRun(store), [ingest], writers);
      }),
      { numRuns: 60 },
    );
  });

  test('an own event of a follower is refused once another process follows the run', async () => {
    const ingest = createIngest(store, createLocalPlane());
    const run = await createRun(store, { runtime: 'native' });
    const native = { run: run.key, source: 'session', sessionId: 's', specHash: 'k.hash' } as const;
    await store.nativeRuns.create(native, { owner: 'one', leaseMs: 0 });
    const ofOne = { ...OWN, claimer: 'one' };
    const end = { kind: 'runtime_terminal', data: '{}' } as const;
    expect(await ingest.appendOwn(run, { ...OWN, claimer: 'two' })).toMatchObject({ code: 'claim_refused' });
    expect(await ingest.appendOwn(run, ofOne)).toMatchObject({ ok: true });
    while ((await store.nativeRuns.takeOver({ owner: 'two', leaseMs: 60_000 }, []))?.run !== run.key);
    // Nothing was appended since: the cached head differs from the run's only in its fence.
    expect(await ingest.appendOwn(run, { ...end, claimer: 'one' })).toMatchObject({ code: 'claim_refused' });
    const ofTwo = { ...batch([0], -1), claimer: 'two' };
    const answers = await Promise.all([ingest.appendOwn(run, ofOne), ingest.append(run, ofTwo)]);
    expect(answers).toMatchObject([{ code: 'claim_refused' }, { ok: true }]);
    // Any process may add what does not come from a follower, such as the end that a caller requests.
    expect(await ingest.appendOwn(run, end)).toMatchObject({ ok: true });
    expect(await ingest.appendOwn(run, ofOne)).toMatchObject({ code: 'run_terminated' });
    const kinds = (await readLog(store, run)).map(({ kind }) => kind);
    expect(kinds).toEqual(['notification', 'assistant_text', 'runtime_terminal']);
  });
});

describePostgres('two processes on one database', ({ freshUrl, open }) => {
  let store: Store;
  let here: Ingest;
  let there: Ingest;
  beforeAll(async () => {
    const url = await freshUrl();
    store = await open(url);
    here = createIngest(store, createLocalPlane());
    there = createIngest(await open(url), createLocalPlane());
  });

  /** A run whose head in `here` is stale, because `there` has written to the run since. */
  async function runThatMovedOn(): Promise<RunKey> {
    const run = await createRun(store);
    await here.append(run, batch([0], -1));
    await there.append(run, batch([1, 2], 0));
    return run;
  }

  describe('a cached head that is stale because of another process', () => {
    test('reports no gap for a batch that follows', async () => {
      const run = await runThatMovedOn();
      expect(await here.append(run, batch([3], 2))).toMatchObject({
        ok: true,
        accepted: 1,
        head: { eventCount: 4 },
      });
    });

    test('does not hide a gap', async () => {
      const run = await runThatMovedOn();
      const answer = await here.append(run, batch([5], 0));
      expect(answer).toMatchObject({ ok: false, code: 'seq_gap', expectedSeq: 2 });
    });

    test('does not hide duplicates, nor conflicts', async () => {
      const run = await runThatMovedOn();
      expect(await here.append(run, batch([1, 2, 3], 0))).toMatchObject({
        ok: true,
        accepted: 1,
        duplicates: 2,
      });
      await there.append(run, batch([4]));
      const answer = await here.append(run, batch([sent(4, { data: '{}' })]));
      expect(answer).toMatchObject({ ok: false, code: 'seq_conflict' });
    });

    test('does not hide the end', async () => {
      const run = await runThatMovedOn();
      await there.append(run, batch([sent(3, { kind: 'runtime_terminal' })]));
      expect(await here.append(run, batch([4]))).toMatchObject({ ok: false, code: 'run_terminated' });
      const other = await runThatMovedOn();
      await there.append(other, batch([sent(3, { kind: 'runtime_terminal' })]));
      expect(await here.appendOwn(other, OWN)).toMatchObject({ ok: false, code: 'run_terminated' });
    });

    test('is not the head in the answer to a retry', async () => {
      const run = await runThatMovedOn();
      await there.append(run, batch([sent(3, { kind: 'runtime_terminal' })]));
      const retry = await here.append(run, batch([0], -1));
      expect(retry).toMatchObject({ ok: true, duplicates: 1, head: { lastSeq: 3, terminalSeq: 3 } });
    });

    test('does not miss server events', async () => {
      const run = await createRun(store);
      await here.append(run, batch([0]));
      for (let count = 0; count < 3; count++) await there.appendOwn(run, OWN);
      await there.append(run, batch([1]));
      expect(await here.append(run, batch([0, 1, 2]))).toMatchObject({
        ok: true,
        accepted: 1,
        duplicates: 2,
      });
      expect(await here.appendOwn(run, OWN)).toMatchObject({
        ok: true,
        head: { serverEvents: 4, lastSeq: 6 },
      });
    });
  });

  test('a producer that uses another process for every batch loses nothing', async () => {
    const run = await createRun(store);
    for (let seq = 0; seq < 40; seq++) {
      const ingest = seq % 2 === 0 ? here : there;
      expect(await ingest.append(run, batch([seq], seq - 1))).toMatchObject({ ok: true, accepted: 1 });
    }
    expect(await producedIn(store, run)).toHaveLength(40);
  });

  test('whatever both send, exactly the accepted events are stored', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(deeds, async (writers) => {
        await letAllWrite(store, await createRun(store), [here, there], writers);
      }),
      { numRuns: 60 },
    );
  });
});
