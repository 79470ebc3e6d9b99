import { describe, expect, test } from 'vitest';
import { EMPTY_HEAD, type RunRecord, type Store } from '../../src/store/store.ts';
import { StoreContended, StoreUnavailable } from '../../src/store/unavailable.ts';
import { jobOf } from '../suites/store-jobs.ts';
import { append, createRun, events, newRun } from '../suites/store-records.ts';
import { describePostgres } from '../support/databases.ts';
import { beginRival, type Rival } from '../support/held-rows.ts';
import { eventually } from '../support/runs.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';

/** Half of the store's ten connections: those that may wait for rows that others hold. */
const LANES = 5;

/** The reason of a call's failure, or `null` if it succeeded. */
const faultOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => null,
    (error: unknown) => error,
  );

const createRuns = (store: Store, count: number): Promise<RunRecord[]> =>
  Promise.all(Array.from({ length: count }, () => createRun(store)));

const hold = (rival: Rival, runs: readonly RunRecord[]) =>
  rival.query('SELECT 1 FROM run WHERE key = ANY($1::int[]) FOR UPDATE', [runs.map(({ key }) => key)]);

const insertRun = (rival: Rival, { workspace, id }: { workspace: string; id: string }) =>
  rival.query(
    `INSERT INTO run (workspace, id, provider, runtime, labels, created_at) VALUES ($1, $2, 'openai', 'managed', '{}', 1)`,
    [workspace, id],
  );

const native = (run: number) => ({ run, source: 'session', sessionId: 's', specHash: 'h' }) as const;
const LEASE = { owner: 'one', leaseMs: 60_000 };

/** Every call of the store that may wait for the lock of its run's row. */
const WRITES: readonly (readonly [string, (store: Store, run: RunRecord) => Promise<unknown>])[] = [
  ['the creation of a job', (store, { key }) => store.jobs.create(jobOf(key))],
  ['the creation of a followed run', (store, { key }) => store.nativeRuns.create(native(key), LEASE)],
  ['the mark of what retention removes', (store, { key }) => store.markRemoved(key)],
];

describePostgres(
  'a store on Postgres while a transaction of somebody else holds rows',
  ({ open, freshUrl }) => {
    async function start(): Promise<{ store: Store; rival: Rival }> {
      const url = await freshUrl();
      const store = await open(url);
      return { store, rival: await beginRival(url) };
    }

    /** Reads, commits and creates other runs, and creates a job of another run. */
    async function expectWorking(store: Store): Promise<void> {
      const run = await createRun(store);
      expect(await store.commit([append(run, EMPTY_HEAD, events(0, 1))])).toEqual(new Set([run.key]));
      expect(await store.jobs.create(jobOf(run.key))).toBe(true);
      expect(await store.findRun(run.workspace, run.id)).toMatchObject({ lastSeq: 0 });
    }

    test('waits for the row of one run in one connection, however many calls need it', async () => {
      const { store, rival } = await start();
      const run = await createRun(store);
      await hold(rival, [run]);
      const calls = Array.from({ length: 20 }, () => faultOf(store.jobs.create(jobOf(run.key))));
      await rival.untilWaiting(1);
      await expectWorking(store);
      await expectWorking(store);
      expect(await rival.waiting()).toBeLessThanOrEqual(1);
      for (const fault of await Promise.all(calls)) expect(fault).toBeInstanceOf(StoreContended);
      await rival.rollback();
      expect(await store.jobs.create(jobOf(run.key))).toBe(true);
    }, 30_000);

    test('waits for an id that is being inserted in one connection, however many calls create it', async () => {
      const { store, rival } = await start();
      const run = newRun();
      await insertRun(rival, run);
      const calls = Array.from({ length: 20 }, () => faultOf(store.createRun(run)));
      await rival.untilWaiting(1);
      await expectWorking(store);
      expect(await rival.waiting()).toBeLessThanOrEqual(1);
      for (const fault of await Promise.all(calls)) expect(fault).toBeInstanceOf(StoreContended);
      await rival.rollback();
      expect(await store.createRun(run)).toMatchObject({ created: true });
    }, 30_000);

    test('refuses calls for one run above a bound at once', async () => {
      const { store, rival } = await start();
      const run = await createRun(store);
      await hold(rival, [run]);
      const call = () => faultOf(store.jobs.create(jobOf(run.key)));
      const waiting = Array.from({ length: 101 }, call);
      expect(await Promise.race([...waiting, call()])).toMatchObject({
        name: 'StoreContended',
        message: /one row/,
      });
      await rival.rollback();
      await Promise.all(waiting);
    });

    test('waits for the rows of many runs in half of its connections, and reads and commits in the rest', async () => {
      const { store, rival } = await start();
      const runs = await createRuns(store, 30);
      const free = await createRun(store);
      await hold(rival, runs);
      let settled = 0;
      const calls = runs.map(async ({ key }) => {
        const fault = await faultOf(store.jobs.create(jobOf(key)));
        settled += 1;
        return fault;
      });
      await rival.untilWaiting(LANES);
      expect(await store.commit([append(free, EMPTY_HEAD, events(0, 1))])).toEqual(new Set([free.key]));
      await store.ping();
      await Promise.race(calls);
      await eventually(async () => (await rival.waiting()) <= LANES);
      while (settled < calls.length) {
        expect(await rival.waiting()).toBeLessThanOrEqual(LANES);
        expect(await store.findRun(free.workspace, free.id)).toMatchObject({ lastSeq: 0 });
      }
      for (const fault of await Promise.all(calls)) expect(fault).toBeInstanceOf(StoreContended);
      await rival.rollback();
      await expectWorking(store);
    }, 30_000);

    test.each(WRITES)('refuses %s after a while and does it once the row is free', async (_, write) => {
      const { store, rival } = await start();
      const run = await createRun(store);
      if (write === WRITES[2]![1]) {
        const kinds = [events(0, 1)[0]!, { ...events(1, 1)[0]!, kind: 'runtime_terminal' as const }];
        await store.commit([append(run, EMPTY_HEAD, kinds, { endedAt: 5 })]);
      }
      await hold(rival, [run]);
      expect(await faultOf(write(store, run))).toBeInstanceOf(StoreContended);
      await rival.rollback();
      expect(await faultOf(write(store, run))).toBeNull();
    });

    test('is still ready, since other writes succeed', async () => {
      const { store, rival } = await start();
      const run = newRun();
      await insertRun(rival, run);
      await expect(store.createRun(run)).rejects.toThrow(StoreContended);
      await store.ping();
    });

    test('leases, renews and gives back the other jobs', async () => {
      const { store, rival } = await start();
      const [held, free] = (await createRuns(store, 2)) as [RunRecord, RunRecord];
      const host = 'one';
      const request = { owner: 'one', leaseMs: 60_000, host, abandonedMs: 60_000, limit: 10 };
      const substrates = ['process'] as const;
      for (const { key } of [held, free]) await store.jobs.create({ ...jobOf(key), host });
      await store.jobs.lease({ ...request, substrates, known: substrates });
      const before = (await store.jobs.read([free.key])).get(free.key)!.job.leaseUntil!;
      await rival.query('SELECT 1 FROM job WHERE run = $1 FOR UPDATE', [held.key]);
      await store.jobs.renew('one', [held.key, free.key], 120_000);
      expect((await store.jobs.read([free.key])).get(free.key)!.job.leaseUntil).toBeGreaterThan(before);
      const given = [held, free].map(({ key }) => ({
        run: key,
        version: 1,
        dueIn: 0,
        failures: 0,
        statusMs: 0,
        lookedAt: 1,
      }));
      await store.jobs.giveBack('one', given);
      const after = await store.jobs.read([held.key, free.key]);
      expect([held, free].map(({ key }) => after.get(key)!.job.leaseOwner)).toEqual(['one', null]);
    });

    test('renews the leases of other followed runs and still owns the held one', async () => {
      const { store, rival } = await start();
      const [held, free] = (await createRuns(store, 2)) as [RunRecord, RunRecord];
      for (const { key } of [held, free])
        await store.nativeRuns.create(native(key), { ...LEASE, leaseMs: -1 });
      await rival.query('SELECT 1 FROM native_run WHERE run = $1 FOR UPDATE', [held.key]);
      expect(await store.nativeRuns.renew(LEASE, [held.key, free.key])).toEqual(
        new Set([held.key, free.key]),
      );
      await rival.rollback();
      const other = { owner: 'two', leaseMs: 60_000 };
      expect(await store.nativeRuns.takeOver(other, [])).toMatchObject({ run: held.key });
      expect(await store.nativeRuns.takeOver(other, [])).toBeNull();
    });

    test('takes over other followed runs', async () => {
      const { store, rival } = await start();
      const [held, free] = (await createRuns(store, 2)) as [RunRecord, RunRecord];
      for (const { key } of [held, free])
        await store.nativeRuns.create(native(key), { ...LEASE, leaseMs: -1 });
      await hold(rival, [held]);
      expect(await store.nativeRuns.takeOver({ owner: 'two', leaseMs: 60_000 }, [])).toMatchObject({
        run: free.key,
      });
      expect(await store.nativeRuns.takeOver({ owner: 'two', leaseMs: 60_000 }, [])).toBeNull();
      await rival.rollback();
      expect(await store.nativeRuns.takeOver({ owner: 'two', leaseMs: 60_000 }, [])).toMatchObject({
        run: held.key,
      });
    });

    test('reads nothing from a table that is locked, and reports that as unavailable', async () => {
      const { store, rival } = await start();
      const run = await createRun(store);
      await rival.query('LOCK TABLE run IN ACCESS EXCLUSIVE MODE');
      const fault = await faultOf(store.findRun(run.workspace, run.id));
      expect(fault).toBeInstanceOf(StoreUnavailable);
      expect(fault).not.toBeInstanceOf(StoreContended);
    });

    describe('gives every lane back', () => {
      const WAYS: readonly (readonly [string, (rival: Rival, cut: () => void) => unknown])[] = [
        ['Postgres cancels the statements', (rival) => rival.disturb('pg_cancel_backend')],
        ['Postgres ends the connections', (rival) => rival.disturb('pg_terminate_backend')],
        ['the network cuts the connections', (_, cut) => cut()],
      ];

      test.each(WAYS)(
        'after %s',
        async (_, disturb) => {
          const url = await freshUrl();
          const proxy = await startTcpProxy(url);
          const store = await open(proxy.url);
          for (let round = 0; round < 3; round += 1) {
            const runs = await createRuns(store, LANES);
            const ids = Array.from({ length: LANES }, () => newRun());
            const rival = await beginRival(url);
            await hold(rival, runs);
            for (const run of ids) await insertRun(rival, run);
            for (const calls of [
              () => runs.map(({ key }) => faultOf(store.jobs.create(jobOf(key)))),
              () => ids.map((run) => faultOf(store.createRun(run))),
            ]) {
              const faults = Promise.all(calls());
              await rival.untilWaiting(LANES);
              await disturb(rival, proxy.cut);
              for (const fault of await faults) expect(fault).toBeInstanceOf(StoreUnavailable);
            }
            await rival.rollback();
            await Promise.all(runs.map(({ key }) => store.jobs.create(jobOf(key))));
          }
        },
        30_000,
      );
    });

    test('reports a deadlock as a passing fault, and the call succeeds later', async () => {
      const { store, rival } = await start();
      const run = await createRun(store);
      await rival.query("SET LOCAL deadlock_timeout = '60s'");
      await hold(rival, [run]);
      const call = faultOf(store.jobs.create(jobOf(run.key)));
      await rival.untilWaiting(1);
      // The store's transaction holds the key of the job, and waits for the run.
      await rival.query(
        `INSERT INTO job (run, status, substrate, runner, image, region, max_run_duration_ms, spec_hash, wish, created_at, next_step_at)
       VALUES ($1, 'queued', 'process', 'r', 'i', 'l', 1, 'h', 'run', 1, 1)`,
        [run.key],
      );
      expect(await call).toBeInstanceOf(StoreContended);
      await rival.rollback();
      expect(await store.jobs.create(jobOf(run.key))).toBe(true);
    });
  },
);
