import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { describeStores, type TestDatabase } from '../support/databases.ts';
import {
  callsOf,
  claim,
  eventsOf,
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
import { eventually } from '../support/runs.ts';

function testLooks(database: TestDatabase): void {
  test('failed look-ups lose no job, and do not count when a later one finds nothing', async () => {
    const { fake, process } = await oneProcess(database);
    const { run, runId } = await runningJob(process);
    fake.fail('getStatus', { errorClass: 'substrate_error', transient: true }, { times: 4 });
    await eventually(() => process.jobs.counts().failures >= 4);
    fake.job(runId).hidden = 1;
    const looks = callsOf(fake, 'getStatus').length;
    await eventually(() => callsOf(fake, 'getStatus').length > looks + 6);
    expect(await readJob(process, run)).toMatchObject({ status: 'running', failures: 0 });
  });

  test('a job is lost only after several look-ups in a row did not find it', async () => {
    const { fake, process } = await oneProcess(database);
    const { run, runId } = await runningJob(process);
    for (let round = 0; round < 3; round += 1) {
      fake.job(runId).hidden = 2;
      const looks = callsOf(fake, 'getStatus').length;
      await eventually(() => callsOf(fake, 'getStatus').length > looks + 4);
    }
    expect((await readJob(process, run)).status).toBe('running');
    fake.lose(fake.job(runId));
    const job = await jobWhen(process, run, isSettled);
    expect(job).toMatchObject({ status: 'failed', errorClass: 'lost', exitCode: null });
    expect(await terminalOf(process, run)).toMatchObject({ outcome: 'failed', errorClass: 'lost' });
  });

  test('when most jobs vanish at once, none is lost, and all continue when they are back', async () => {
    const { fake, process } = await oneProcess(database);
    const started = await Promise.all(Array.from({ length: 8 }, () => runningJob(process)));
    for (const job of fake.jobs) job.hidden = 8;
    const looks = callsOf(fake, 'getStatus').length;
    await eventually(() => callsOf(fake, 'getStatus').length > looks + 8 * 10);
    for (const { run } of started) expect(await readJob(process, run)).toMatchObject({ status: 'running' });
    await eventually(async () => {
      const jobs = await Promise.all(started.map(({ run }) => readJob(process, run)));
      return jobs.every(({ failures }) => failures === 0);
    });
  });

  test('refused credentials pause the substrate: no more calls are made, and running jobs stay as they are', async () => {
    const { fake, process } = await oneProcess(database);
    const jobs = await Promise.all(Array.from({ length: 3 }, () => runningJob(process)));
    fake.fail('getStatus', { errorClass: 'auth', transient: true }, { times: 1_000 });
    fake.fail('start', { errorClass: 'auth', transient: true }, { times: 1_000 });
    await eventually(() => process.jobs.counts().failures > 0);
    const queued = await startJob(process);
    await sleep(100);
    const calls = fake.calls.length;
    await sleep(300);
    expect(fake.calls).toHaveLength(calls);
    for (const { run } of jobs) expect((await readJob(process, run)).status).toBe('running');
    expect((await readJob(process, queued.run)).status).toBe('queued');
  });

  test('a host that is unreachable for a moment loses no job', async () => {
    const { fake, process } = await oneProcess(database);
    const { run, runId } = await runningJob(process);
    fake.job(runId).unreachable = true;
    const looks = callsOf(fake, 'getStatus').length;
    await eventually(() => callsOf(fake, 'getStatus').length >= looks + 3);
    fake.job(runId).unreachable = false;
    await jobWhen(process, run, ({ failures }) => failures === 0);
    expect((await readJob(process, run)).status).toBe('running');
  });

  test('a job on a host that stays unreachable is lost; later its events are refused and it is destroyed', async () => {
    const { fake, process } = await oneProcess(database);
    const started = await runningJob(process);
    const { send } = await claim(process, started);
    await send(0);
    fake.job(started.runId).unreachable = true;
    const job = await jobWhen(process, started.run, hasEnded);
    expect(job).toMatchObject({ status: 'failed', errorClass: 'host_lost', settledAt: null });
    await eventually(async () => (await eventsOf(process, started.run)).at(-1)?.kind === 'runtime_terminal');
    expect(await send(1)).toMatchObject({ ok: false, code: 'run_terminated' });
    await expect(claim(process, started)).rejects.toMatchObject({ code: 'claim_refused' });
    const next = await runningJob(process);
    expect((await readJob(process, started.run)).settledAt).toBeNull();
    fake.job(started.runId).unreachable = false;
    await jobWhen(process, started.run, isSettled);
    expect(fake.job(started.runId).removed).toBe(true);
    expect((await readJob(process, next.run)).status).toBe('running');
  });

  test('the maximum duration also ends a job on an unreachable host', async () => {
    const { fake, process } = await oneProcess(database, fakes(), { limits: { hostLostLooks: 40 } });
    const { run, runId } = await runningJob(process, { maxRunDurationMs: 200 });
    fake.job(runId).unreachable = true;
    await jobWhen(process, run, ({ stopReason }) => stopReason === 'deadline');
    expect(await jobWhen(process, run, hasEnded)).toMatchObject({ errorClass: 'max_duration_exceeded' });
  });

  test('a job that the substrate stops unasked is evicted', async () => {
    const { fake, process } = await oneProcess(database);
    const { run, runId } = await runningJob(process);
    fake.exit(fake.job(runId), 143, 'evicted');
    expect(await jobWhen(process, run, isSettled)).toMatchObject({ status: 'failed', errorClass: 'evicted' });
  });

  test('a flapping status does not move a job back', async () => {
    const { fake, process } = await oneProcess(database);
    const { run, runId } = await runningJob(process);
    Object.assign(fake.job(runId), { state: 'provisioning', held: true });
    const looks = callsOf(fake, 'getStatus').length;
    await eventually(() => callsOf(fake, 'getStatus').length > looks + 3);
    expect((await readJob(process, run)).status).toBe('running');
  });

  test('a hanging call delays only its own job, and not forever', async () => {
    const fake = fakes();
    const substrate = fake.open();
    let hanging = 1;
    const store = await database.open();
    const process = await openJobs(
      store,
      {
        ...substrate,
        start: (spec) => (hanging-- > 0 ? new Promise(() => {}) : substrate.start(spec)),
      },
      { limits: { stepMs: 300 } },
    );
    const stuck = await startJob(process);
    await eventually(() => hanging <= 0);
    await runningJob(process);
    expect((await readJob(process, stuck.run)).status).toBe('queued');
    await jobWhen(process, stuck.run, isRunning);
    expect(process.log.join()).toContain('no answer');
  });

  test('of two machines with one environment, the one that claimed stays and the other is removed', async () => {
    const { fake, process } = await oneProcess(database);
    const started = await runningJob(process);
    const first = fake.job(started.runId);
    // As if an answer was lost and a list lagged: a second machine under the same name.
    const second = { ...first, handle: { ...first.handle, machineId: randomUUID() } };
    (fake.jobs as (typeof first)[]).push(second);
    fake.fail('remove', { errorClass: 'substrate_error', transient: true });
    await claim(process, started, second.handle.machineId);
    await jobWhen(process, started.run, ({ machineId }) => machineId === second.handle.machineId);
    await eventually(() => first.removed);
    expect(second.removed).toBe(false);
  });

  test('a secret that a substrate echoes appears in no log, row or event', async () => {
    const { fake, process } = await oneProcess(database, fakes(), { idle: true });
    const secrets = [
      'sk-model-key-4711',
      Buffer.from('sk-model-key-4711').toString('base64'),
      'opensesame-1',
    ];
    const message = `refused: ${secrets.join(' ')}`;
    fake.fail('start', { errorClass: 'substrate_error', transient: true, message });
    fake.fail('start', { errorClass: 'config_invalid', message });
    const { run, runId } = await startJob(process, {
      payload: { prompt: 'the task', password: 'opensesame-1' },
    });
    process.jobs.lookAfter();
    const job = await jobWhen(process, run, isSettled);
    const terminal = await terminalOf(process, run);
    expect(job.errorMessage).toContain('refused: [redacted]');
    for (const secret of secrets) expect(JSON.stringify([job, terminal, process.log])).not.toContain(secret);
    expect(process.log.join()).toContain(runId);
  });
}

describeStores('look-ups of jobs', testLooks);
