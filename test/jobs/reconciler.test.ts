import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { JobRecord } from '../../src/store/jobs.ts';
import { openStore } from '../../src/store/open.ts';
import { describePostgres, describeStores, freshSqliteUrl, type TestDatabase } from '../support/databases.ts';
import { createFakeSubstrates, type FakeSubstrates } from '../support/fake-substrate.ts';
import {
  claim,
  eventsOf,
  hasEnded,
  isRunning,
  isSettled,
  type JobsProcess,
  jobWhen,
  openJobs,
  type ProcessOptions,
  readJob,
  startJob,
  terminalOf,
} from '../support/job-harness.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { eventually } from '../support/runs.ts';

type FakeOptions = NonNullable<Parameters<typeof createFakeSubstrates>[0]>;

function fakes(options: FakeOptions = {}): FakeSubstrates {
  const fake = createFakeSubstrates(options);
  releaseAfterwards(() => fake.close());
  return fake;
}

async function oneProcess(database: TestDatabase, fake = fakes(), options: ProcessOptions = {}) {
  const store = await database.open();
  return { fake, process: await openJobs(store, fake.open(), options) };
}

/** Starts a job and waits until it runs. */
async function runningJob(process: JobsProcess, request: Parameters<typeof startJob>[1] = {}) {
  const started = await startJob(process, request);
  await jobWhen(process, started.run, isRunning);
  return started;
}

const callsOf = (fake: FakeSubstrates, wanted: string) =>
  fake.calls.filter(({ method }) => method === wanted);

/** The statuses that a follower of the job sees, until its end. */
async function statusesOf({ jobs }: JobsProcess, run: number): Promise<string[]> {
  const statuses: string[] = [];
  for await (const { status } of jobs.follow(run)) statuses.push(status);
  return statuses;
}

function testLives(database: TestDatabase): void {
  test('a job is queued, provisioned, run and terminated, and its run ended for it', async () => {
    const { fake, process } = await oneProcess(database);
    const { jobs } = process;
    const { run, runId } = await startJob(process);
    const seen = statusesOf(process, run);
    await jobWhen(process, run, isRunning);
    fake.exit(fake.job(runId), 0);
    const job = await jobWhen(process, run, isSettled);
    expect(job).toMatchObject({ status: 'terminated', errorClass: null, exitCode: 0 });
    expect(job.provisionedAt).toBeLessThanOrEqual(job.startedAt!);
    expect(job.startedAt).toBeLessThanOrEqual(job.endedAt!);
    expect(fake.job(runId).removed).toBe(true);
    expect((await seen).at(-1)).toBe('terminated');
    expect(await terminalOf(process, run)).toMatchObject({
      outcome: 'failed',
      reason: 'ended_without_terminal',
      exitCode: 0,
      at: expect.stringMatching(/^\d{4}-.*Z$/),
    });
    expect(callsOf(fake, 'start')).toHaveLength(1);
    await jobWhen(process, run, ({ leaseOwner }) => leaseOwner === null);
    expect(jobs.counts().failures).toBe(0);
  });

  test.each([
    [1, null, 'exit_nonzero'],
    [137, 'oom_killed', 'oom_killed'],
    [127, null, 'start_failed'],
  ] as const)(
    'a job that exits with %i (%s) has failed, and its run with it',
    async (code, told, errorClass) => {
      const { fake, process } = await oneProcess(database);
      const { run, runId } = await runningJob(process);
      if (told) fake.exit(fake.job(runId), code, told);
      else fake.exit(fake.job(runId), code);
      const job = await jobWhen(process, run, isSettled);
      expect(job).toMatchObject({ status: 'failed', errorClass, exitCode: code });
      expect(await terminalOf(process, run)).toMatchObject({
        outcome: 'failed',
        reason: errorClass,
        errorClass,
        message: `exit code ${code}`,
        exitCode: code,
      });
    },
  );

  test('what a runner sends last still comes before the end that the server writes', async () => {
    const { fake, process } = await oneProcess(database);
    const started = await runningJob(process);
    const { send } = await claim(process, started);
    await send(0);
    fake.exit(fake.job(started.runId), 1);
    const ended = await jobWhen(process, started.run, hasEnded);
    expect(await send(1)).toMatchObject({ ok: true, accepted: 1 });
    await jobWhen(process, started.run, isSettled);
    const events = await eventsOf(process, started.run);
    expect(events.map(({ kind }) => kind)).toEqual(['assistant_text', 'assistant_text', 'runtime_terminal']);
    expect(events[2]!.sourceSeq).toBeNull();
    expect(events[2]!.committedAt - events[1]!.committedAt).toBeGreaterThan(100);
    expect(ended.settledAt).toBeNull();
    expect(await send(2)).toMatchObject({ ok: false, code: 'run_terminated' });
    expect(await send(1)).toMatchObject({ ok: true, accepted: 0, duplicates: 1 });
  });

  test('a run that its runner ended gets no second end', async () => {
    const { fake, process } = await oneProcess(database);
    const started = await runningJob(process);
    const { send } = await claim(process, started);
    await send(0, 'runtime_terminal', '{"outcome":"success"}');
    fake.exit(fake.job(started.runId), 0);
    const job = await jobWhen(process, started.run, isSettled);
    expect(job.status).toBe('terminated');
    expect(await terminalOf(process, started.run)).toEqual({ outcome: 'success' });
  });

  test('a runner that lives on after its run’s end is stopped', async () => {
    const { fake, process } = await oneProcess(database);
    const started = await runningJob(process);
    const { send } = await claim(process, started);
    await send(0, 'runtime_terminal', '{"outcome":"success"}');
    await sleep(80);
    expect((await readJob(process, started.run)).wish).toBe('run');
    const job = await jobWhen(process, started.run, isSettled);
    expect(job).toMatchObject({ status: 'terminated', stopReason: 'run_ended', errorClass: null });
    expect(fake.job(started.runId).removed).toBe(true);
    expect(await terminalOf(process, started.run)).toEqual({ outcome: 'success' });
  });

  test('a longest time that is over ends the job and its run, whatever the process does', async () => {
    const { fake, process } = await oneProcess(database);
    const { run, runId } = await runningJob(process, { maxRunDurationMs: 300 });
    fake.job(runId).ignoresSigterm = true;
    const job = await jobWhen(process, run, isSettled);
    expect(job).toMatchObject({ status: 'failed', errorClass: 'max_duration_exceeded', exitCode: 137 });
    expect(job.stopAskedAt! - job.startedAt!).toBeGreaterThanOrEqual(300);
    expect(job.killAt! - job.stopAskedAt!).toBe(100);
    expect(await terminalOf(process, run)).toMatchObject({
      outcome: 'limit',
      reason: 'max_duration_exceeded',
      errorClass: 'max_duration_exceeded',
    });
  });

  test('14. a longest time that was over while the server was down ends the job at its restart', async () => {
    const { fake, process } = await oneProcess(database);
    const [late, done] = [
      await runningJob(process, { maxRunDurationMs: 200 }),
      await runningJob(process, { maxRunDurationMs: 200 }),
    ];
    await process.close();
    // This one was done by itself in time, and keeps its own verdict.
    fake.exit(fake.job(done.runId), 3);
    await sleep(220);
    const restarted = await openJobs(process.store, fake.open());
    expect(await jobWhen(restarted, late.run, isSettled)).toMatchObject({
      errorClass: 'max_duration_exceeded',
    });
    expect(await jobWhen(restarted, done.run, isSettled)).toMatchObject({
      errorClass: 'exit_nonzero',
      exitCode: 3,
    });
  });

  test('what a job uses goes into its run, but not more often than it may', async () => {
    const { fake, process } = await oneProcess(database);
    const { run, runId } = await runningJob(process);
    fake.job(runId).resourceStats = { cpuPercent: 12.5, memoryMb: 64, networkRxBytes: 1 };
    await eventually(async () => (await eventsOf(process, run)).length >= 2);
    fake.exit(fake.job(runId), 0);
    await jobWhen(process, run, isSettled);
    const notes = (await eventsOf(process, run)).filter(({ kind }) => kind === 'notification');
    const told = notes.map(({ data }) => JSON.parse(data) as { event: string; payload: unknown; at: string });
    expect(told[0]).toEqual({
      event: 'resource_stats',
      payload: { cpuPercent: 12.5, memoryMb: 64, networkRxBytes: 1 },
      at: expect.stringMatching(/Z$/),
    });
    for (const [index, { at }] of told.slice(1).entries()) {
      expect(Date.parse(at) - Date.parse(told[index]!.at)).toBeGreaterThanOrEqual(200);
    }
    expect(JSON.parse((await readJob(process, run)).stats!)).toEqual(told[0]!.payload);
  });
}

function testStops(database: TestDatabase): void {
  test('10. a job stopped before anything was asked for is terminated, and nothing is ever made', async () => {
    const { fake, process } = await oneProcess(database, fakes(), { idle: true });
    const { run } = await startJob(process);
    expect(await process.jobs.stop(run, null)).toMatchObject({ status: 'terminated', errorClass: null });
    process.jobs.lookAfter();
    await jobWhen(process, run, isSettled);
    expect(fake.calls).toEqual([]);
    expect(await terminalOf(process, run)).toMatchObject({ outcome: 'cancelled', reason: 'job_stopped' });
  });

  test('10. a stop while a create is in flight is stopping until what appears is found and gone', async () => {
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

  test('10. a stop after many failed creates still looks often enough for a list that lags', async () => {
    const fake = fakes();
    const { process } = await oneProcess(database, fake);
    fake.fail('start', { errorClass: 'outcome_unknown', mayExist: true, transient: true }, { times: 10_000 });
    const { run } = await startJob(process);
    await jobWhen(process, run, ({ failures }) => failures >= 4);
    await process.jobs.stop(run, 0);
    await jobWhen(process, run, hasEnded);
    expect(callsOf(fake, 'find').length).toBeGreaterThanOrEqual(3);
  });

  test('11. a stop that comes twice, and after the end, is one stop and one end', async () => {
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

  test('a second stop shortens the grace and never lengthens it', async () => {
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

  test('a stop that the substrate ignores is repeated, and forced in the end', async () => {
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

  test('13. a server that restarts within the grace kills at the time that was stored', async () => {
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

function testTroubles(database: TestDatabase): void {
  test('3. a lost answer of a start makes no second object', async () => {
    const { fake, process } = await oneProcess(database, fakes(), { idle: true });
    fake.fail('start', { errorClass: 'outcome_unknown', mayExist: true, transient: true }, { done: true });
    const { run, runId } = await startJob(process);
    process.jobs.lookAfter();
    const job = await jobWhen(process, run, isRunning);
    expect(fake.jobs).toHaveLength(1);
    expect(job.machineId).toBe(fake.job(runId).handle.machineId);
  });

  test('5. a start that failed, and a look-up with it, leaves the job queued until a later try adopts', async () => {
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

  test('7. a crash after the create and before its answer is stored: the next server adopts', async () => {
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

  test('8. a job that has ended and was removed is not started again', async () => {
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

  test('capacity that is missing leaves the job queued, with a delay, until there is some', async () => {
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
    'a start that fails for good with %s fails the job and its run',
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

  test('a runner that is not configured any more fails its job', async () => {
    const { fake, process } = await oneProcess(database, fakes(), { idle: true });
    const { run } = await startJob(process);
    const later = await openJobs(process.store, fake.open(), {
      runners: { runners: [], providers: {}, mcpBase: null, substrates: {} },
    });
    expect(await jobWhen(later, run, isSettled)).toMatchObject({
      status: 'failed',
      errorClass: 'config_invalid',
    });
  });

  test('21. a job that never gets to run is destroyed, and no claim comes through meanwhile', async () => {
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

  test('2. looks that fail lose no job, and do not count when one then finds nothing', async () => {
    const { fake, process } = await oneProcess(database);
    const { run, runId } = await runningJob(process);
    fake.fail('getStatus', { errorClass: 'substrate_error', transient: true }, { times: 4 });
    await eventually(() => process.jobs.counts().failures >= 4);
    fake.job(runId).hidden = 1;
    const looks = callsOf(fake, 'getStatus').length;
    await eventually(() => callsOf(fake, 'getStatus').length > looks + 6);
    expect(await readJob(process, run)).toMatchObject({ status: 'running', failures: 0 });
  });

  test('a job that is not found is lost only after so many looks in a row', async () => {
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

  test('23. when most jobs vanish at once none is lost, and they go on when they are back', async () => {
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

  test('19. refused credentials pause the substrate: running jobs stay as they are, and nobody hammers', async () => {
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

  test('22. a host that is out of reach for a moment loses nothing', async () => {
    const { fake, process } = await oneProcess(database);
    const { run, runId } = await runningJob(process);
    fake.job(runId).unreachable = true;
    const looks = callsOf(fake, 'getStatus').length;
    await eventually(() => callsOf(fake, 'getStatus').length >= looks + 3);
    fake.job(runId).unreachable = false;
    await jobWhen(process, run, ({ failures }) => failures === 0);
    expect((await readJob(process, run)).status).toBe('running');
  });

  test('22. a host that stays out of reach is lost; when it is back its events are refused, the next run goes on, and it is destroyed', async () => {
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

  test('a longest time ends also what runs on a host that is out of reach', async () => {
    const { fake, process } = await oneProcess(database, fakes(), { limits: { hostLostLooks: 40 } });
    const { run, runId } = await runningJob(process, { maxRunDurationMs: 200 });
    fake.job(runId).unreachable = true;
    await jobWhen(process, run, ({ stopReason }) => stopReason === 'deadline');
    expect(await jobWhen(process, run, hasEnded)).toMatchObject({ errorClass: 'max_duration_exceeded' });
  });

  test('a job that the substrate took away was evicted', async () => {
    const { fake, process } = await oneProcess(database);
    const { run, runId } = await runningJob(process);
    fake.exit(fake.job(runId), 143, 'evicted');
    expect(await jobWhen(process, run, isSettled)).toMatchObject({ status: 'failed', errorClass: 'evicted' });
  });

  test('a status that flaps stays where it was', async () => {
    const { fake, process } = await oneProcess(database);
    const { run, runId } = await runningJob(process);
    Object.assign(fake.job(runId), { state: 'provisioning', held: true });
    const looks = callsOf(fake, 'getStatus').length;
    await eventually(() => callsOf(fake, 'getStatus').length > looks + 3);
    expect((await readJob(process, run)).status).toBe('running');
  });

  test('a call that hangs holds up its own job alone, and not for ever', async () => {
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

  test('of two machines with one environment the one that claimed stays, and the other is removed', async () => {
    const { fake, process } = await oneProcess(database);
    const started = await runningJob(process);
    const first = fake.job(started.runId);
    // As when an answer was lost and a list lagged: a second one, under the same name.
    const second = { ...first, handle: { ...first.handle, machineId: randomUUID() } };
    (fake.jobs as (typeof first)[]).push(second);
    fake.fail('remove', { errorClass: 'substrate_error', transient: true });
    await claim(process, started, second.handle.machineId);
    await jobWhen(process, started.run, ({ machineId }) => machineId === second.handle.machineId);
    await eventually(() => first.removed);
    expect(second.removed).toBe(false);
  });

  test('25. a secret that a substrate repeats is in no log, no row and no event', async () => {
    const { fake, process } = await oneProcess(database, fakes(), { idle: true });
    const secrets = [
      'sk-model-key-4711',
      Buffer.from('sk-model-key-4711').toString('base64'),
      'the secret task',
    ];
    const message = `refused: ${secrets.join(' ')}`;
    fake.fail('start', { errorClass: 'substrate_error', transient: true, message });
    fake.fail('start', { errorClass: 'config_invalid', message });
    const { run, runId } = await startJob(process, { payload: { prompt: 'the secret task' } });
    process.jobs.lookAfter();
    const job = await jobWhen(process, run, isSettled);
    const terminal = await terminalOf(process, run);
    expect(job.errorMessage).toContain('refused: [redacted]');
    for (const secret of secrets) expect(JSON.stringify([job, terminal, process.log])).not.toContain(secret);
    expect(process.log.join()).toContain(runId);
  });
}

function testSeveral(database: TestDatabase): void {
  test('1. a run that is started twenty times at once has one job, one create and twenty equal answers', async () => {
    const { fake, process } = await oneProcess(database);
    const runId = randomUUID();
    const answers = await Promise.all(Array.from({ length: 20 }, () => startJob(process, { runId })));
    expect(new Set(answers.map(({ run }) => run)).size).toBe(1);
    await jobWhen(process, answers[0]!.run, isRunning);
    expect(callsOf(fake, 'start')).toHaveLength(1);
  });

  test('9. the same run with another spec is refused, and nothing has changed', async () => {
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

  test('who follows a job sees it move forward only, and its end', async () => {
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

  test('a job that is left by a machine which nobody looks after any more is given up, and its run ended', async () => {
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

function testSweeps(database: TestDatabase): void {
  /** Something with our mark that belongs to no job. */
  async function orphan(fake: FakeSubstrates, runId: string) {
    const spec = { runId, workspaceId: 'default', specHash: 'k.h', secrets: [], provider: 'openai' } as const;
    const made = { ...spec, image: 'i', env: {}, maxRunDurationMs: 1_000, region: 'local' };
    return fake.open().start(made);
  }

  test('what belongs to no job is removed, once two sweeps have seen it; what belongs to one is not', async () => {
    const { fake, process } = await oneProcess(database, fakes(), {
      sweep: 'remove',
      limits: { sweepMs: 150 },
    });
    const { runId } = await runningJob(process);
    await orphan(fake, 'nobody');
    const stuck = await orphan(fake, 'stuck');
    fake.job('stuck').unreachable = true;
    const lists = callsOf(fake, 'list').length;
    await eventually(() => callsOf(fake, 'list').length === lists + 1);
    expect(fake.job('nobody').removed).toBe(false);
    await eventually(() => fake.job('nobody').removed);
    fake.job('stuck').unreachable = false;
    await eventually(() => fake.job('stuck').removed);
    expect(fake.job(runId).removed).toBe(false);
    expect(process.log.join()).toContain(stuck.machineId);
  });

  test('a sweep spares what is young: its job may be about to learn of it', async () => {
    const { fake } = await oneProcess(database, fakes(), {
      sweep: 'remove',
      limits: { sweepGraceMs: 60_000 },
    });
    await orphan(fake, 'young');
    await eventually(() => callsOf(fake, 'list').length >= 4);
    expect(fake.job('young').removed).toBe(false);
  });

  test('a dry run tells of orphans, and removes none', async () => {
    const { fake, process } = await oneProcess(database, fakes(), { sweep: 'dry-run' });
    await orphan(fake, 'nobody');
    await eventually(() => process.log.join().includes('belongs to no job'));
    expect(fake.job('nobody').removed).toBe(false);
    expect(callsOf(fake, 'remove')).toEqual([]);
  });

  test('a list that fails, or is empty, removes nothing', async () => {
    const { fake } = await oneProcess(database, fakes(), { sweep: 'remove' });
    await orphan(fake, 'nobody');
    fake.fail('list', { errorClass: 'substrate_error', transient: true }, { times: 3 });
    await eventually(() => callsOf(fake, 'list').length >= 4);
    expect(fake.job('nobody').removed).toBe(false);
    await eventually(() => fake.job('nobody').removed);
  });
}

describe('a server on SQLite', () => {
  test('goes on at once with what a process that died held', async () => {
    const url = await freshSqliteUrl();
    const fake = fakes();
    const before = await openStore(url);
    const idle = await openJobs(before, fake.open(), { idle: true });
    const { run } = await startJob(idle);
    const request = { host: 'x', abandonedMs: 1, limit: 1, substrates: ['process'] } as const;
    expect(await before.jobs.lease({ ...request, owner: 'the dead', leaseMs: 3_600_000 })).toHaveLength(1);
    await idle.close();
    await before.close();
    const store = await openStore(url);
    releaseAfterwards(() => store.close());
    await jobWhen(await openJobs(store, fake.open()), run, isRunning);
  });
});

describePostgres('two processes on one Postgres', (database) => {
  test('2. share the jobs: one create each, and the end of one is told once', async () => {
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
    for (const { jobs } of [one, two]) expect(jobs.counts().steps).toBeGreaterThan(0);
  });

  test('take over from each other when one goes, or dies in the middle of a step', async () => {
    const url = await database.freshUrl();
    const fake = fakes();
    const going = await openJobs(await database.open(url), fake.open());
    const { run, runId } = await runningJob(going);
    await going.close();
    // Its owner is dead: the lease runs out by itself.
    const request = { host: 'x', abandonedMs: 1, limit: 1, substrates: ['process'], owner: 'dead' } as const;
    await eventually(async () => (await going.store.jobs.lease({ ...request, leaseMs: 700 })).length === 1);
    const asked = performance.now();
    const other = await openJobs(await database.open(url), fake.open());
    fake.exit(fake.job(runId), 0);
    await jobWhen(other, run, hasEnded);
    expect(performance.now() - asked).toBeGreaterThan(400);
    await jobWhen(other, run, isSettled);
  });

  test('10. a stop that one is asked for reaches the job that the other looks after', async () => {
    const url = await database.freshUrl();
    const fake = fakes();
    const one = await openJobs(await database.open(url), fake.open());
    const other = await openJobs(await database.open(url), fake.open(), { idle: true });
    const { run } = await runningJob(one);
    await other.jobs.stop(run, 1_000);
    expect(await jobWhen(one, run, isSettled)).toMatchObject({ status: 'terminated', exitCode: 143 });
  });
});

describeStores('sweeps for orphans', testSweeps);
describeStores('the lives of jobs', testLives);
describeStores('stops of jobs', testStops);
describeStores('troubles of jobs', testTroubles);
describeStores('several at once', testSeveral);
