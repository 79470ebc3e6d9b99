import { setTimeout as sleep } from 'node:timers/promises';
import * as fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { EventsRemoved, type FeedBatch, followBatches, followEvents } from '../../src/feed/batches.ts';
import type { Store } from '../../src/store/store.ts';
import { readAll, startProcess } from '../feed/following.ts';
import { batch, sent } from '../ingest/sending.ts';
import { createRun } from '../suites/store-records.ts';
import { describeStores } from '../support/databases.ts';

const STEP = { maxEvents: 2, maxBytes: 2 ** 30 };

/** What a reader received, in order: the numbers of events, and gaps. */
type Told = number | { readonly fromSeq: number; readonly toSeq: number };

const read = fc.record({ what: fc.constant('read' as const), reader: fc.nat(2) });
const grow = fc.record({ what: fc.constant('grow' as const), by: fc.integer({ min: 1, max: 3 }) });
const remove = fc.constant({ what: 'remove' as const });
const end = fc.constant({ what: 'end' as const });

/** Generates the steps: readers read, the run grows and then ends, and retention removes in between. */
const happenings = fc
  .tuple(
    fc.array(fc.oneof(read, grow, remove), { maxLength: 6 }),
    end,
    fc.array(fc.oneof(read, remove), { minLength: 4, maxLength: 30 }),
  )
  .map(([before, ending, after]) => [...before, ending, ...after]);

/** Does retention one step at a time. Does nothing until the run has ended. */
async function* removal(store: Store, key: number): AsyncGenerator<void, void> {
  while ((await store.readHeads([key])).get(key)!.terminalSeq === null) yield;
  await store.markRemoved(key);
  yield;
  for (let after: number | null = -1; after !== null; yield) {
    after = await store.deleteRemoved(key, after, STEP);
  }
  await store.setTerminalAside(key);
}

/** A reader that advances on request and records what it received. */
function readerOf(batches: AsyncGenerator<FeedBatch, void>) {
  const told: Told[] = [];
  let next: Promise<boolean> | null = null;
  async function take(): Promise<boolean> {
    const { done, value } = await batches.next();
    if (done) return false;
    if (value.gap) told.push(value.gap);
    told.push(...value.events.map(({ seq }) => seq));
    next = null;
    return true;
  }
  return {
    told,
    /** Starts a read and waits for at most 1 ms. */
    readOn: async () => {
      next ??= take();
      await Promise.race([next, sleep(1)]);
    },
    readToTheEnd: async () => {
      while (await (next ?? take()));
    },
  };
}

describeStores('a reader', ({ open }) => {
  let store: Store;
  beforeAll(async () => {
    store = await open();
  });

  test('gets every event after its cursor or exactly the gap, whenever events are removed', async () => {
    const plan = fc.record({
      happenings,
      cursors: fc.tuple(...[0, 1, 2].map(() => fc.integer({ min: -1, max: 4 }))),
      maxEvents: fc.integer({ min: 1, max: 3 }),
      spread: fc.integer({ min: 1, max: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(plan, async ({ happenings: all, cursors, maxEvents, spread }) => {
        const { feed, ingest } = startProcess(store, { pageEvents: 3, ringEvents: 3, pollMs: 5 });
        const run = await createRun(store);
        const log: number[] = [];
        let ended = false;
        const add = async (kind: 'assistant_text' | 'runtime_terminal') => {
          if (ended) return;
          const seq = (log.at(-1) ?? -spread) + spread;
          ended = kind === 'runtime_terminal';
          expect(await ingest.append(run, batch([sent(seq, { kind })]))).toMatchObject({ ok: true });
          log.push(seq);
        };
        for (let count = 0; count < 10; count += 1) await add('assistant_text');
        const readers = cursors.map((after) =>
          readerOf(followBatches(feed, { run: run.key, after, kinds: null }, maxEvents)),
        );
        const removing = removal(store, run.key);
        for (const one of all) {
          if (one.what === 'read') await readers[one.reader]!.readOn();
          else if (one.what === 'remove') await removing.next();
          else if (one.what === 'end') await add('runtime_terminal');
          else for (let count = 0; count < one.by; count += 1) await add('assistant_text');
        }
        await add('runtime_terminal');
        for (const reader of readers) await reader.readToTheEnd();
        feed.close();
        await ingest.close();
        const lastRemovable = log.at(-2)!;
        for (const [index, { told }] of readers.entries()) {
          let cursor = cursors[index]!;
          for (const one of told) {
            if (typeof one === 'number') {
              expect(one).toBe(log.find((seq) => seq > cursor));
              cursor = one;
            } else {
              expect(one).toEqual({ fromSeq: cursor + 1, toSeq: lastRemovable });
              cursor = one.toSeq;
            }
          }
          expect(log.filter((seq) => seq > cursor)).toEqual([]);
        }
      }),
      { numRuns: 40 },
    );
  }, 120_000);

  test('of single events can continue after the number in the error, with the terminal event', async () => {
    const { feed, ingest } = startProcess(store);
    const run = await createRun(store);
    await ingest.append(run, batch([0, 4, sent(9, { kind: 'runtime_terminal' })]));
    const removing = removal(store, run.key);
    for await (const _ of removing);
    const failed: unknown = await readAll(followEvents(feed, { run: run.key, after: 0, kinds: null })).catch(
      (error: unknown) => error,
    );
    expect(failed).toBeInstanceOf(EventsRemoved);
    const { through } = failed as EventsRemoved;
    expect(through).toBe(4);
    const rest = await readAll(followEvents(feed, { run: run.key, after: through, kinds: null }));
    expect(rest.map(({ seq }) => seq)).toEqual([9]);
  });

  test('that lacks only the terminal event sees no gap, even if numbers were never used', async () => {
    const { feed, ingest } = startProcess(store);
    const run = await createRun(store);
    await ingest.append(run, batch([0, 4, sent(9, { kind: 'runtime_terminal' })]));
    for await (const _ of removal(store, run.key));
    const batches = await readAll(followBatches(feed, { run: run.key, after: 4, kinds: null }));
    expect(batches.map(({ gap, events }) => [gap, events.map(({ seq }) => seq)])).toEqual([[null, [9]]]);
  });
});
