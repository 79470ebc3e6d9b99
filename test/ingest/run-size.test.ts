import { expect, test } from 'vitest';
import { createIngest, INGEST_LIMITS } from '../../src/ingest/ingest.ts';
import { createLocalPlane } from '../../src/wakeups/local.ts';
import { createRun, readLog } from '../suites/store-records.ts';
import { describePostgres, describeStores } from '../support/databases.ts';
import { batch, producedIn, sent } from './sending.ts';

const EVENTS = { ...INGEST_LIMITS, maxRunEvents: 4 };

describeStores('a run’s size', ({ open }) => {
  test.each([
    ['max_run_events', EVENTS, '{}'],
    ['max_run_bytes', { ...INGEST_LIMITS, maxRunBytes: 80 }, `{"t":"${'ü'.repeat(6)}"}`],
  ])(
    'is limited: a batch beyond %s is refused as a whole, and the run ends',
    async (reason, limits, data) => {
      const store = await open();
      const run = await createRun(store);
      const ingest = createIngest(store, createLocalPlane(), limits);
      const events = (from: number) => [0, 1, 2].map((n) => sent(from + n, { data }));
      expect(await ingest.append(run, batch(events(0)))).toMatchObject({ ok: true, accepted: 3 });
      const refused = { ok: false, code: 'run_terminated', message: expect.stringContaining('MAX_RUN_') };
      expect(await ingest.append(run, batch(events(3)))).toMatchObject(refused);
      expect(await ingest.append(run, batch(events(3)))).toMatchObject({ ok: false, code: 'run_terminated' });
      // A retry of a stored batch is still a duplicate.
      expect(await ingest.append(run, batch(events(0)))).toMatchObject({ ok: true, duplicates: 3 });
      const log = await readLog(store, run);
      expect(log.map(({ kind }) => kind)).toEqual([...Array(3).fill('assistant_text'), 'runtime_terminal']);
      expect(JSON.parse(log[3]!.data)).toMatchObject({ outcome: 'limit', reason });
      const head = (await store.readHeads([run.key])).get(run.key)!;
      expect(head.eventCount).toBe(4);
      expect(head.dataBytes).toBe(log.reduce((sum, event) => sum + Buffer.byteLength(event.data), 0));
    },
  );

  test('counts server events, and lets the server end a full run', async () => {
    const store = await open();
    const [full, ended] = [await createRun(store), await createRun(store)];
    const ingest = createIngest(store, createLocalPlane(), EVENTS);
    const own = { kind: 'notification', data: '{}' } as const;
    for (const run of [full, ended]) await ingest.append(run, batch([0, 1, 2, 3]));
    expect(await ingest.appendOwn(full, own)).toMatchObject({ ok: false, code: 'run_terminated' });
    const end = { kind: 'runtime_terminal', data: '{"outcome":"cancelled"}' } as const;
    expect(await ingest.appendOwn(ended, end)).toMatchObject({ ok: true });
    expect(JSON.parse((await readLog(store, full))[4]!.data)).toMatchObject({ reason: 'max_run_events' });
    expect((await readLog(store, ended))[4]!.data).toBe(end.data);
  });
});

describePostgres('a run’s size with two processes on one database', ({ freshUrl, open }) => {
  test('is the total over both, and the run ends once', async () => {
    const url = await freshUrl();
    const stores = [await open(url), await open(url)];
    const run = await createRun(stores[0]!);
    const ingests = stores.map((store) =>
      createIngest(store, createLocalPlane(), { ...INGEST_LIMITS, maxRunEvents: 40 }),
    );
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, n) =>
        ingests[n % 2]!.appendOwn(run, { kind: 'notification', data: `{"n":${n}}` }),
      ),
    );
    await Promise.all(
      Array.from({ length: 30 }, (_, n) =>
        ingests[n % 2]!.appendOwn(run, { kind: 'notification', data: `{"m":${n}}` }),
      ),
    );
    const log = await readLog(stores[0]!, run);
    expect(answers.every(({ ok }) => ok)).toBe(true);
    expect(log).toHaveLength(41);
    expect(log.filter(({ kind }) => kind === 'runtime_terminal')).toEqual([log[40]]);
    expect(await producedIn(stores[0]!, run)).toEqual([]);
  });
});
