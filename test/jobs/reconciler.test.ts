import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { JobRecord } from '../../src/store/jobs.ts';
import { openStore } from '../../src/store/open.ts';
import { describePostgres, describeStores, freshSqliteUrl, type TestDatabase } from '../support/databases.ts';
import {
  callsOf,
  fakes,
  hasEnded,
  isRunning,
  isSettled,
  jobWhen,
  oneProcess,
  openJobs,
  readJob,
  runningJob,
  startJob,
  terminalOf,
} from '../support/job-harness.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { eventually } from '../support/runs.ts';

function testSeveral(database: TestDatabase): void {
  test('twenty concurrent starts of a run give one job, one create and equal answers', async () => {
    const { fake, process } = await oneProcess(database);
    const runId = randomUUID();
    const answers = await Promise.all(Array.from({ length: 20 }, () => startJob(process, { runId })));
    expect(new Set(answers.map(({ run }) => run)).size).toBe(1);
    await jobWhen(process, answers[0]!.run, isRunning);
    expect(callsOf(fake, 'start')).toHaveLength(1);
  });

  test('a start of the same run with another spec is refused and changes nothing', async () => {
    const { process } = await oneProcess(database);
    const { run, runId } = await runningJob(process, {
      payload: { prompt: 'one', more: [1, { a: 1, b: 2 }] },
    });
    const before = await readJob(process, run);
    await startJob(process, { runId, payload: { more: [1, { b: 2, a: 1 }], prompt: 'one' } });
    for (const other of [{ payload: { prompt: 'two' } }, { payload: null }, { maxRunDurationMs: 1_000 }]) {
      await expect(startJob(process, { runId, ...other })).rejects.toMatchObject({ code: 'job_conflict' });
    }
    const { specHash, payload, startedAt } = await readJob(process, run);
    expect({ specHash, payload, startedAt }).toEqual({
      specHash: before.specHash,
      payload: before.payload,
      startedAt: before.startedAt,
    });
    expect(payload).not.toContain('one');
  });

  test('a follower of a job sees it only move forward, and sees its end', async () => {
    const { fake, process } = await oneProcess(database);
    const { run, runId } = await startJob(process);
    const seen: JobRecord[] = [];
    const following = (async () => {
      for await (const job of process.jobs.follow(run)) seen.push(job);
    })();
    await jobWhen(process, run, isRunning);
    await process.jobs.stop(run, 1_000);
    await following;
    const order = ['queued', 'provisioning', 'running', 'stopping', 'terminated'];
    const places = seen.map(({ status }) => order.indexOf(status));
    expect(places).toEqual([...places].sort((one, other) => one - other));
    expect(seen.at(-1)).toMatchObject({ status: 'terminated', exitCode: 143 });
    expect(seen.filter(hasEnded)).toHaveLength(1);
    const after: JobRecord[] = [];
    for await (const job of process.jobs.follow(run)) after.push(job);
    expect(after).toHaveLength(1);
    expect(fake.job(runId).state).toBe('ended');
  });

  test('a job of a machine that no server looks after is given up, and its run is ended', async () => {
    const fake = fakes();
    const store = await database.open();
    const there = await openJobs(store, { ...fake.open(), host: 'there' });
    const { run } = await runningJob(there);
    await there.close();
    const here = await openJobs(store, { ...fake.open(), host: 'here' });
    const job = await jobWhen(here, run, isSettled);
    expect(job).toMatchObject({ status: 'failed', errorClass: 'host_lost' });
    expect(await terminalOf(here, run)).toMatchObject({ outcome: 'failed', errorClass: 'host_lost' });
  });

  test('a job of another machine that is looked after there is left alone', async () => {
    const fake = fakes();
    const store = await database.open();
    const there = await openJobs(store, { ...fake.open(), host: 'there' });
    await openJobs(store, { ...fake.open(), host: 'here' });
    const { run } = await runningJob(there);
    await sleep(500);
    expect((await readJob(there, run)).status).toBe('running');
  });
}

describe('a server on SQLite', () => {
  test('takes over at once the jobs that a dead process had leased', async () => {
    const url = await freshSqliteUrl();
    const fake = fakes();
    const before = await openStore(url);
    const idle = await openJobs(before, fake.open(), { idle: true });
    const { run } = await startJob(idle);
    const request = {
      host: 'x',
      abandonedMs: 1,
      limit: 1,
      substrates: ['process'],
      known: ['process'],
    } as const;
    expect(await before.jobs.lease({ ...request, owner: 'the dead', leaseMs: 3_600_000 })).toHaveLength(1);
    await idle.close();
    await before.close();
    const store = await openStore(url);
    releaseAfterwards(() => store.close());
    await jobWhen(await openJobs(store, fake.open()), run, isRunning);
  });
});

describePostgres('two processes on one Postgres', (database) => {
  test('share the jobs: each gets one create and one terminal event', async () => {
    const url = await database.freshUrl();
    const fake = fakes();
    const [one, two] = [
      await openJobs(await database.open(url), fake.open()),
      await openJobs(await database.open(url), fake.open()),
    ];
    const runIds = Array.from({ length: 10 }, () => randomUUID());
    const answers = await Promise.all(
      runIds.flatMap((runId) => [startJob(one, { runId }), startJob(two, { runId })]),
    );
    expect(new Set(answers.map(({ run }) => run)).size).toBe(10);
    for (const { run } of answers) await jobWhen(two, run, isRunning);
    expect(fake.jobs).toHaveLength(10);
    for (const job of fake.jobs) fake.exit(job, 0);
    for (const { run } of answers) {
      await jobWhen(one, run, isSettled);
      await terminalOf(one, run);
    }
    // The quicker process leases a job first, so one process may have taken all ten.
    const takes = ({ jobs }: typeof one) => jobs.counts().steps > 0;
    await eventually(async () => {
      if (takes(one) && takes(two)) return true;
      const { run } = await startJob(takes(one) ? two : one);
      await jobWhen(one, run, isRunning);
      return false;
    }, 60_000);
  });

  test('take over jobs when the other one closes or dies during a step', async () => {
    const url = await database.freshUrl();
    const fake = fakes();
    const going = await openJobs(await database.open(url), fake.open());
    const { run, runId } = await runningJob(going);
    await going.close();
    // Its owner is dead, so the lease must expire.
    const request = {
      host: 'x',
      abandonedMs: 1,
      limit: 1,
      substrates: ['process'],
      known: ['process'],
      owner: 'dead',
    } as const;
    await eventually(async () => (await going.store.jobs.lease({ ...request, leaseMs: 700 })).length === 1);
    const asked = performance.now();
    const other = await openJobs(await database.open(url), fake.open());
    fake.exit(fake.job(runId), 0);
    await jobWhen(other, run, hasEnded);
    expect(performance.now() - asked).toBeGreaterThan(400);
    await jobWhen(other, run, isSettled);
  });

  test('stop a job that the other one looks after', async () => {
    const url = await database.freshUrl();
    const fake = fakes();
    const one = await openJobs(await database.open(url), fake.open());
    const other = await openJobs(await database.open(url), fake.open(), { idle: true });
    const { run } = await runningJob(one);
    await other.jobs.stop(run, 1_000);
    expect(await jobWhen(one, run, isSettled)).toMatchObject({ status: 'terminated', exitCode: 143 });
  });
});

describeStores('several callers and machines at once', testSeveral);
