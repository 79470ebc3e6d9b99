import { expect, test } from 'vitest';
import { describeStores, type TestDatabase } from '../support/databases.ts';
import {
  callsOf,
  fakes,
  hasEnded,
  isSettled,
  jobWhen,
  oneProcess,
  openJobs,
  readJob,
  runningJob,
  startJob,
  terminalOf,
} from '../support/job-harness.ts';
import { eventually } from '../support/runs.ts';

function testStops(database: TestDatabase): void {
  test('a job stopped before its substrate was asked is terminated, and nothing is created', async () => {
    const { fake, process } = await oneProcess(database, fakes(), { idle: true });
    const { run } = await startJob(process);
    expect(await process.jobs.stop(run, null)).toMatchObject({ status: 'terminated', errorClass: null });
    process.jobs.lookAfter();
    await jobWhen(process, run, isSettled);
    expect(fake.calls).toEqual([]);
    expect(await terminalOf(process, run)).toMatchObject({ outcome: 'cancelled', reason: 'job_stopped' });
  });

  test('a job stopped during a create is stopping until the created object is found and removed', async () => {
    const fake = fakes();
    const { process } = await oneProcess(database, fake);
    fake.lag = 1;
    fake.fail(
      'start',
      { errorClass: 'outcome_unknown', mayExist: true, transient: true },
      { done: true, times: 5 },
    );
    const { run, runId } = await startJob(process);
    await eventually(() => fake.jobs.length === 1);
    const stopped = await process.jobs.stop(run, 0);
    expect(stopped?.status).toBe('stopping');
    const job = await jobWhen(process, run, isSettled);
    expect(job).toMatchObject({ status: 'terminated', errorClass: null });
    expect(fake.jobs).toHaveLength(1);
    expect(fake.job(runId).removed).toBe(true);
    expect(await terminalOf(process, run)).toMatchObject({ outcome: 'cancelled' });
  });

  test('a stop after many failed creates still looks often enough for a lagging list', async () => {
    const fake = fakes();
    const { process } = await oneProcess(database, fake);
    fake.fail('start', { errorClass: 'outcome_unknown', mayExist: true, transient: true }, { times: 10_000 });
    const { run } = await startJob(process);
    await jobWhen(process, run, ({ failures }) => failures >= 4);
    await process.jobs.stop(run, 0);
    await jobWhen(process, run, hasEnded);
    expect(callsOf(fake, 'find').length).toBeGreaterThanOrEqual(3);
  });

  test('repeated stops, even after the end, are one stop and one end', async () => {
    const { fake, process } = await oneProcess(database);
    const { run } = await runningJob(process);
    await Promise.all([
      process.jobs.stop(run, 5_000),
      process.jobs.stop(run, 5_000),
      process.jobs.stop(run, 5_000),
    ]);
    const job = await jobWhen(process, run, isSettled);
    expect(job).toMatchObject({ status: 'terminated', stopReason: 'requested', exitCode: 143 });
    expect(await process.jobs.stop(run, 0)).toEqual(job);
    expect(await readJob(process, run)).toEqual(job);
    expect(await terminalOf(process, run)).toMatchObject({ outcome: 'cancelled', exitCode: 143 });
    expect(fake.jobs).toHaveLength(1);
  });

  test('a second stop can shorten the grace period but never lengthen it', async () => {
    const { fake, process } = await oneProcess(database);
    const { run, runId } = await runningJob(process);
    fake.job(runId).ignoresSigterm = true;
    const first = await process.jobs.stop(run, 5_000);
    expect((await process.jobs.stop(run, 60_000))?.killAt).toBe(first!.killAt);
    const asked = performance.now();
    expect((await process.jobs.stop(run, 100))!.killAt).toBeLessThan(first!.killAt!);
    const job = await jobWhen(process, run, hasEnded);
    expect(performance.now() - asked).toBeLessThan(4_000);
    expect(job).toMatchObject({ status: 'terminated', exitCode: 137, stopAskedAt: first!.stopAskedAt });
  });

  test('a stop that the substrate ignores is repeated, and finally forced', async () => {
    const { fake, process } = await oneProcess(database, fakes(), { limits: { hostLostLooks: 1_000 } });
    const { run, runId } = await runningJob(process);
    fake.job(runId).unreachable = true;
    await process.jobs.stop(run, 500);
    await eventually(() => callsOf(fake, 'stop').some(({ graceMs }) => graceMs === 0));
    const graces = callsOf(fake, 'stop').map(({ graceMs }) => graceMs!);
    expect(graces[0]).toBeLessThanOrEqual(500);
    expect(graces[0]).toBeGreaterThan(0);
    expect(graces).toEqual([...graces].sort((one, other) => other - one));
    fake.job(runId).unreachable = false;
    expect(await jobWhen(process, run, isSettled)).toMatchObject({ status: 'terminated' });
  });

  test('a server that restarts within the grace period kills at the stored time', async () => {
    const { fake, process } = await oneProcess(database);
    const { run, runId } = await runningJob(process);
    fake.job(runId).ignoresSigterm = true;
    const stopped = await process.jobs.stop(run, 600);
    await process.close();
    const restarted = await openJobs(process.store, fake.open());
    const job = await jobWhen(restarted, run, hasEnded);
    expect(job.killAt).toBe(stopped!.killAt);
    expect(job.endedAt).toBeGreaterThanOrEqual(stopped!.killAt! - 20);
    expect(job.endedAt! - stopped!.killAt!).toBeLessThan(3_000);
  });
}

describeStores('stopping jobs', testStops);
