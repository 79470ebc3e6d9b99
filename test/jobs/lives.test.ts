import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { describeStores, type TestDatabase } from '../support/databases.ts';
import {
  callsOf,
  claim,
  eventsOf,
  hasEnded,
  isRunning,
  isSettled,
  type JobsProcess,
  jobWhen,
  oneProcess,
  openJobs,
  readJob,
  runningJob,
  startJob,
  terminalOf,
} from '../support/job-harness.ts';
import { eventually } from '../support/runs.ts';

/** Returns the statuses that a follower of the job sees, until its end. */
async function statusesOf({ jobs }: JobsProcess, run: number): Promise<string[]> {
  const statuses: string[] = [];
  for await (const { status } of jobs.follow(run)) statuses.push(status);
  return statuses;
}

function testLives(database: TestDatabase): void {
  test('a job is queued, provisioned, run and terminated, and the server ends its run', async () => {
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
  ] as const)('a job that exits with %i (%s) fails, and so does its run', async (code, told, errorClass) => {
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
  });

  test('the last events of a runner precede the end that the server writes', async () => {
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

  test('a run that its runner ended gets no second terminal event', async () => {
    const { fake, process } = await oneProcess(database);
    const started = await runningJob(process);
    const { send } = await claim(process, started);
    await send(0, 'runtime_terminal', '{"outcome":"success"}');
    fake.exit(fake.job(started.runId), 0);
    const job = await jobWhen(process, started.run, isSettled);
    expect(job.status).toBe('terminated');
    expect(await terminalOf(process, started.run)).toEqual({ outcome: 'success' });
  });

  test('a runner that continues after the end of its run is stopped', async () => {
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

  test('the maximum duration ends a job and its run, whatever the process does', async () => {
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

  test('a job that exceeds its maximum duration while the server is down ends at the restart', async () => {
    const { fake, process } = await oneProcess(database);
    const [late, done] = [
      await runningJob(process, { maxRunDurationMs: 200 }),
      await runningJob(process, { maxRunDurationMs: 200 }),
    ];
    await process.close();
    // This job ended on its own in time, and keeps its own verdict.
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

  test('resource figures of a job go into its run, but not too often', async () => {
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

describeStores('the life of a job', testLives);
