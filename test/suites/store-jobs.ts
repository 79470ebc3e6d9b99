import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import type { ProviderRuntimeKind } from '../../src/contract/jobs.ts';
import type { DueRequest, JobReading, JobState, NewJob } from '../../src/store/jobs.ts';
import type { Store } from '../../src/store/store.ts';
import type { TestDatabase } from '../support/databases.ts';
import { createRun } from './store-records.ts';

const LEASE = {
  leaseMs: 60_000,
  abandonedMs: 600_000,
  limit: 10,
  known: ['fly', 'process'] as ProviderRuntimeKind[],
};

/** Returns a job of a run, on a separate host. */
export function jobOf(run: number): NewJob {
  return {
    run,
    substrate: 'process',
    host: randomUUID(),
    runner: 'demo',
    image: 'demo@sha256:0',
    region: 'local',
    cpus: 0.5,
    memoryMb: 256,
    maxRunDurationMs: 3_600_000,
    specHash: 'k:hash',
    payload: 'sealed',
  };
}

/** Tests creating, changing and leasing jobs. */
export function testJobs({ open }: TestDatabase): void {
  let store: Store;
  beforeAll(async () => {
    store = await open();
  });

  /** Creates a job on a separate host for each test, so that its leases do not affect jobs of other tests. */
  async function newJob(job: Partial<NewJob> = {}): Promise<NewJob> {
    return { ...jobOf((await createRun(store)).key), ...job };
  }

  async function created(job: Partial<NewJob> = {}): Promise<JobReading> {
    const asked = await newJob(job);
    expect(await store.jobs.create(asked)).toBe(true);
    return read(asked.run);
  }

  async function read(run: number): Promise<JobReading> {
    const reading = (await store.jobs.read([run])).get(run);
    if (!reading) throw new Error(`run ${run} has no job`);
    return reading;
  }

  const lease = (
    host: string,
    owner = 'one',
    more: Partial<typeof LEASE> = {},
    substrates: ProviderRuntimeKind[] = ['process'],
  ) => store.jobs.lease({ ...LEASE, ...more, host, owner, substrates });

  describe('jobs', () => {
    test('a new job is queued and due, and is read back as it was requested', async () => {
      const asked = await newJob();
      expect(await store.jobs.create(asked)).toBe(true);
      const { job, now } = await read(asked.run);
      expect(job).toMatchObject({ ...asked, status: 'queued', wish: 'run', claimInstance: null, version: 0 });
      expect(Math.abs(now - Date.now())).toBeLessThan(60_000);
      expect(job.createdAt).toBeLessThanOrEqual(now);
      expect(job.nextStepAt).toBeLessThanOrEqual(now);
      expect((await store.jobs.read([])).size).toBe(0);
    });

    test('a run has one job: the second one changes nothing', async () => {
      const { job } = await created();
      expect(await store.jobs.create({ ...job, runner: 'other' })).toBe(false);
      expect((await read(job.run)).job.runner).toBe('demo');
    });

    test('twenty concurrent requests for one job create one', async () => {
      const asked = await newJob();
      const answers = await Promise.all(Array.from({ length: 20 }, () => store.jobs.create(asked)));
      expect(answers.filter(Boolean)).toHaveLength(1);
    });

    test('a job closes its run’s log, and a claim opens it to the claimer', async () => {
      const { job } = await created();
      const fence = async () => (await store.readHeads([job.run])).get(job.run)?.fence;
      expect(await fence()).toBe('');
      const claimed: JobState = { ...job, claimInstance: 'pid 7', status: 'running' };
      expect(await store.jobs.saveClaim(job.run, job.version + 1, claimed)).toBe(false);
      expect(await fence()).toBe('');
      expect(await store.jobs.saveClaim(job.run, job.version, claimed)).toBe(true);
      expect(await fence()).toBe('pid 7');
    });

    test('a commit that expects a different fence is refused', async () => {
      const { job } = await created();
      const head = (await store.readHeads([job.run])).get(job.run)!;
      const event = {
        seq: 0,
        sourceSeq: 0,
        tMs: 0,
        kind: 'notification',
        data: '{}',
        committedAt: 0,
      } as const;
      const append = (fence: string | null) => ({
        run: job.run,
        expectedLastSeq: -1,
        events: [event],
        head: { ...head, lastSeq: 0, fence },
        startedAt: null,
        endedAt: null,
      });
      expect((await store.commit([append(null)])).size).toBe(0);
      expect((await store.commit([append('pid 7')])).size).toBe(0);
      expect((await store.commit([append('')])).size).toBe(1);
    });

    test('a run that has ended gets no job', async () => {
      const asked = await newJob();
      const head = (await store.readHeads([asked.run])).get(asked.run)!;
      const data = '{"outcome":"completed"}';
      const end = { seq: 0, sourceSeq: 0, tMs: 0, kind: 'runtime_terminal', data, committedAt: 5 } as const;
      const ended = { ...head, lastSeq: 0, eventCount: 1, terminalSeq: 0 };
      await store.commit([
        { run: asked.run, expectedLastSeq: -1, events: [end], head: ended, startedAt: null, endedAt: 5 },
      ]);
      expect(await store.jobs.create(asked)).toBe(false);
      expect((await store.jobs.read([asked.run])).size).toBe(0);
    });

    test('a change is stored only if the job is still as it was read', async () => {
      const { job } = await created();
      const state: JobState = { ...job, status: 'provisioning', appName: 'app', machineId: 'm', exitCode: 3 };
      expect(await store.jobs.save(job.run, job.version, state)).toBe(true);
      expect(await store.jobs.save(job.run, job.version, { ...state, status: 'failed' })).toBe(false);
      expect((await read(job.run)).job).toMatchObject({
        status: 'provisioning',
        appName: 'app',
        exitCode: 3,
      });
    });

    test('a due job goes to one of many at once, and to another when its lease expires', async () => {
      const { job } = await created();
      const host = job.host!;
      const owners = Array.from({ length: 8 }, (_, index) => `owner ${index}`);
      const leased = await Promise.all(owners.map((owner) => lease(host, owner)));
      const winners = leased.filter((jobs) => jobs.length > 0);
      expect(winners).toHaveLength(1);
      const { job: taken, now } = winners[0]![0]!;
      expect(taken.leaseUntil).toBeGreaterThan(now);
      expect(taken.version).toBe(job.version + 1);
      const back = { ...taken, dueIn: 0, failures: 4 };
      await store.jobs.giveBack('somebody else', [back]);
      expect(await lease(host, 'next')).toEqual([]);
      await store.jobs.giveBack(taken.leaseOwner!, [back]);
      expect((await read(job.run)).job).toMatchObject({ failures: 4, leaseOwner: null });
      expect(await lease(host, 'next', { leaseMs: 0 })).toHaveLength(1);
      expect(await lease(host, 'after it')).toHaveLength(1);
    });

    test('a renewed lease continues, and only its owner can renew it', async () => {
      const { job } = await created();
      const host = job.host!;
      await lease(host, 'one', { leaseMs: 0 });
      await store.jobs.renew('other', [job.run], 60_000);
      await store.jobs.renew('one', [job.run], 60_000);
      expect((await read(job.run)).job.leaseOwner).toBe('one');
      expect(await lease(host, 'two')).toEqual([]);
    });

    test('a job that changed during its step is due when the change says', async () => {
      const { job } = await created();
      const [taken] = await lease(job.host!);
      const { version } = taken!.job;
      await store.jobs.save(job.run, version, { ...job, wish: 'stop', failures: 1 });
      await store.jobs.giveBack('one', [{ ...taken!.job, version, dueIn: 3_600_000, failures: 9 }]);
      expect((await read(job.run)).job).toMatchObject({
        wish: 'stop',
        failures: 1,
        leaseOwner: null,
        nextStepAt: job.nextStepAt,
      });
      expect(await lease(job.host!)).toHaveLength(1);
    });

    test('jobs that are not due, settled, on another machine or on another substrate are not leased', async () => {
      const { job } = await created();
      const host = job.host!;
      expect(await lease(randomUUID())).toEqual([]);
      expect(await store.jobs.lease({ ...LEASE, host, owner: 'one', substrates: ['fly'] })).toEqual([]);
      expect(await store.jobs.lease({ ...LEASE, host, owner: 'one', substrates: [] })).toEqual([]);
      const later: JobState = { ...job, nextStepAt: job.nextStepAt + 3_600_000 };
      await store.jobs.save(job.run, job.version, later);
      expect(await lease(host)).toEqual([]);
      await store.jobs.save(job.run, job.version + 1, { ...job, settledAt: 1 });
      expect(await lease(host)).toEqual([]);
    });

    test('a job whose machine is no longer looked after is leased to another', async () => {
      const { job } = await created();
      const old: JobState = { ...job, nextStepAt: job.nextStepAt - 700_000 };
      await store.jobs.save(job.run, job.version, old);
      const elsewhere = await lease(randomUUID());
      expect(elsewhere.map(({ job: { run } }) => run)).toContain(job.run);
    });

    test('a job on an unknown substrate is leased when it has not been looked after for a long time', async () => {
      const { job } = await created();
      const strangers = { ...LEASE, host: job.host!, owner: 'one', substrates: [], known: [] };
      const runs = async () => (await store.jobs.lease(strangers)).map(({ job: { run } }) => run);
      expect(await runs()).not.toContain(job.run);
      await store.jobs.save(job.run, job.version, { ...job, nextStepAt: job.nextStepAt - 700_000 });
      // A job whose substrate is known but may not be called now waits, however long.
      expect(await lease(job.host!, 'one', { known: ['process'] }, [])).toEqual([]);
      expect(await runs()).toContain(job.run);
    });

    test('releasing a job stores how long it has had its status', async () => {
      const { job } = await created();
      const [taken] = await lease(job.host!);
      await store.jobs.giveBack('one', [
        { ...taken!.job, dueIn: 0, failures: 0, statusMs: 1_234, lookedAt: 5_678 },
      ]);
      expect((await read(job.run)).job).toMatchObject({ statusMs: 1_234, lookedAt: 5_678 });
    });

    test('after the clock is set back, jobs checked in its future are due, and leases expire in time', async () => {
      const { job } = await created();
      const host = job.host!;
      const [taken] = await lease(host, 'one', { leaseMs: 3_600_000 });
      const future = taken!.now + 600_000;
      const [due] = [{ ...taken!.job, lookedAt: future, nextStepAt: future }];
      await store.jobs.save(job.run, taken!.job.version, due!);
      await store.jobs.recall(60_000);
      const { job: recalled, now } = await read(job.run);
      expect(recalled.nextStepAt).toBeLessThanOrEqual(now);
      expect(recalled.lookedAt).toBeLessThanOrEqual(now);
      expect(recalled.leaseUntil).toBeLessThanOrEqual(now + 60_000);
      expect(recalled.leaseUntil).toBeGreaterThan(now);
      await store.jobs.recall(60_000);
      expect((await read(job.run)).job.version).toBe(recalled.version);
      // It is not taken from its owner, which may still be working on it.
      expect(await lease(host, 'two')).toEqual([]);
    });

    test('the next due time follows the same rules as leases: host, substrate, lease and settled jobs', async () => {
      const other = await open();
      const run = await createRun(other);
      const job: NewJob = { ...(await newJob()), run: run.key };
      const { host } = job;
      await other.jobs.create(job);
      const due = (changes: Partial<DueRequest> = {}) =>
        other.jobs
          .nextDue({ ...LEASE, host: host!, substrates: ['process'], ...changes })
          .then(({ dueIn }) => dueIn);
      expect(await due()).toBeLessThanOrEqual(0);
      expect(await due({ substrates: ['fly'] })).toBeNull();
      expect(await due({ substrates: [] })).toBeNull();
      const elsewhere = await due({ host: 'elsewhere' });
      expect(elsewhere).toBeGreaterThan(500_000);
      expect(elsewhere).toBeLessThanOrEqual(600_000);
      const [taken] = await other.jobs.lease({
        ...LEASE,
        host: host!,
        owner: 'one',
        substrates: ['process'],
      });
      expect(await due()).toBeGreaterThan(50_000);
      await other.jobs.save(run.key, taken!.job.version, { ...taken!.job, settledAt: 1 });
      expect(await due()).toBeNull();
    });
  });
}
