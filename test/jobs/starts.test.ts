import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { describeStores, type TestDatabase } from '../support/databases.ts';
import {
  callsOf,
  claim,
  fakes,
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
import { eventually } from '../support/runs.ts';

function testStarts(database: TestDatabase): void {
  test('a lost answer to a start creates no second object', async () => {
    const { fake, process } = await oneProcess(database, fakes(), { idle: true });
    fake.fail('start', { errorClass: 'outcome_unknown', mayExist: true, transient: true }, { done: true });
    const { run, runId } = await startJob(process);
    process.jobs.lookAfter();
    const job = await jobWhen(process, run, isRunning);
    expect(fake.jobs).toHaveLength(1);
    expect(job.machineId).toBe(fake.job(runId).handle.machineId);
  });

  test('a start of unknown outcome leaves the job queued until a later attempt adopts its object', async () => {
    const { fake, process } = await oneProcess(database, fakes(), { idle: true });
    fake.fail('start', { errorClass: 'outcome_unknown', mayExist: true, transient: false }, { done: true });
    fake.fail('start', { errorClass: 'substrate_error', mayExist: true, transient: true }, { times: 6 });
    const { run } = await startJob(process);
    process.jobs.lookAfter();
    await jobWhen(process, run, ({ failures }) => failures >= 3);
    expect((await readJob(process, run)).status).toBe('queued');
    await jobWhen(process, run, isRunning);
    expect(fake.jobs).toHaveLength(1);
  });

  test('after a crash between a create and storing its answer, the next server adopts the object', async () => {
    const { fake, process } = await oneProcess(database, fakes(), { idle: true });
    const { run, runId } = await startJob(process);
    const { job } = (await process.store.jobs.read([run])).get(run)!;
    await process.store.jobs.save(run, job.version, { ...job, startAskedAt: job.createdAt });
    const spec = { workspaceId: 'default', runId, specHash: job.specHash, secrets: [] };
    const made = await fake
      .open()
      .start({ ...spec, provider: 'openai', image: 'i', env: {}, maxRunDurationMs: 1, region: 'local' });
    const restarted = await openJobs(process.store, fake.open());
    expect((await jobWhen(restarted, run, isRunning)).machineId).toBe(made.machineId);
    expect(fake.jobs).toHaveLength(1);
  });

  test('a job that has ended and was removed is not started again', async () => {
    const { fake, process } = await oneProcess(database);
    const { run, runId } = await runningJob(process);
    fake.exit(fake.job(runId), 0);
    const job = await jobWhen(process, run, isSettled);
    const calls = fake.calls.length;
    const again = await startJob(process, { runId });
    expect(again.run).toBe(run);
    await sleep(100);
    expect(fake.calls).toHaveLength(calls);
    expect(await readJob(process, run)).toEqual(job);
  });

  test('missing capacity leaves the job queued, with a delay, until capacity is available', async () => {
    const { fake, process } = await oneProcess(database, fakes(), { idle: true });
    fake.fail('start', { errorClass: 'capacity', transient: true, retryAfterMs: 400 });
    const { run } = await startJob(process);
    process.jobs.lookAfter();
    await eventually(() => callsOf(fake, 'start').length === 1);
    const asked = performance.now();
    await jobWhen(process, run, ({ failures }) => failures === 1);
    expect((await readJob(process, run)).status).toBe('queued');
    await jobWhen(process, run, isRunning);
    expect(performance.now() - asked).toBeGreaterThan(350);
  });

  test.each(['config_invalid', 'auth', 'image_invalid'] as const)(
    'a start that fails permanently with %s fails the job and its run',
    async (errorClass) => {
      const { fake, process } = await oneProcess(database, fakes(), { idle: true });
      fake.fail('start', { errorClass, message: 'this cannot be' });
      const { run } = await startJob(process);
      process.jobs.lookAfter();
      const job = await jobWhen(process, run, isSettled);
      expect(job).toMatchObject({
        status: 'failed',
        errorClass,
        errorMessage: 'this cannot be',
        startedAt: null,
      });
      expect(await terminalOf(process, run)).toMatchObject({
        outcome: 'failed',
        errorClass,
        message: 'this cannot be',
      });
      expect(callsOf(fake, 'start')).toHaveLength(1);
    },
  );

  test('a runner that is no longer configured fails its job', async () => {
    const { fake, process } = await oneProcess(database, fakes(), { idle: true });
    const { run } = await startJob(process);
    const later = await openJobs(process.store, fake.open(), {
      runners: { runners: [], providers: {}, mcpBase: null, substrates: {}, substrateSecrets: [] },
    });
    expect(await jobWhen(later, run, isSettled)).toMatchObject({
      status: 'failed',
      errorClass: 'config_invalid',
    });
  });

  test('a job that never starts running is destroyed, and its claims are refused meanwhile', async () => {
    const fake = fakes({ behave: (job) => Object.assign(job, { held: true, ignoresSigterm: true }) });
    const { process } = await oneProcess(database, fake, { limits: { graceMs: 400 } });
    const started = await startJob(process);
    const { run, runId } = started;
    await jobWhen(process, run, ({ stopReason }) => stopReason === 'provisioning');
    fake.job(runId).held = false;
    await expect(claim(process, started)).rejects.toMatchObject({ code: 'claim_refused' });
    const job = await jobWhen(process, run, isSettled);
    expect(job).toMatchObject({ status: 'failed', errorClass: 'provision_timeout' });
    expect(fake.job(runId).removed).toBe(true);
  });
}

describeStores('starting jobs', testStarts);
