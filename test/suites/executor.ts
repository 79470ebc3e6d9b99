import { expect, test } from 'vitest';
import type { RunnerJobHandle } from '../../src/contract/jobs.ts';
import type { JobObservation, JobSpec, Substrate } from '../../src/substrates/substrate.ts';

/** The behavior of a job's main process. */
export type JobBehaviour =
  /** Runs until SIGTERM and then exits. */
  | { readonly does: 'run' }
  | { readonly does: 'exit'; readonly code: number }
  /** Runs until SIGKILL. */
  | { readonly does: 'ignore SIGTERM' };

/** A substrate under test. */
export interface ExecutorHarness {
  readonly substrate: Substrate;
  /** Opens another substrate over the same jobs, like a second server process or a restarted one. */
  open(): Promise<Substrate>;
  /** Returns a spec from which the substrate creates a job with this behavior. */
  specOf(behaviour: JobBehaviour, run: { readonly workspaceId: string; readonly runId: string }): JobSpec;
  /** Returns how many objects were ever created for this run. */
  made(run: { readonly workspaceId: string; readonly runId: string }): number;
  /** A handle of a job that never existed. */
  readonly nowhere: RunnerJobHandle;
}

const WORKSPACE = 'workspace-1';
/** Longer than anything here takes, but shorter than the timeout of a test. */
const PATIENCE_MS = 20_000;
const LOOK_MS = 10;

let lastRun = 0;

/** Returns ids that no other test uses. */
export function freshRun(): { workspaceId: string; runId: string } {
  lastRun += 1;
  return { workspaceId: WORKSPACE, runId: `run-${process.pid}-${lastRun}` };
}

/** Polls the job until its snapshot matches, and returns the snapshot. Throws when this takes too long. */
export async function observed(
  substrate: Substrate,
  handle: RunnerJobHandle,
  wished: (seen: JobObservation) => boolean,
): Promise<JobObservation> {
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    const seen = await substrate.getStatus(handle);
    if (wished(seen)) return seen;
    if (performance.now() > until) throw new Error(`timed out: the job is still ${JSON.stringify(seen)}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

const isRunning = ({ status, missing }: JobObservation) => status === 'running' && !missing;
const isOver = ({ status }: JobObservation) => status === 'terminated' || status === 'failed';
const isOverOrGone = (seen: JobObservation) => isOver(seen) || seen.missing === true;

/** Tests that apply to every substrate. `open` creates a harness and releases it after the test. */
export function testExecutor(open: () => Promise<ExecutorHarness>): void {
  async function startRunning(behaviour: JobBehaviour = { does: 'run' }) {
    const harness = await open();
    const run = freshRun();
    const handle = await harness.substrate.start(harness.specOf(behaviour, run));
    await observed(harness.substrate, handle, isRunning);
    return { ...harness, run, handle };
  }

  test('a started job runs, and its handle survives being stored', async () => {
    const { substrate, specOf } = await open();
    const handle = await substrate.start(specOf({ does: 'run' }, freshRun()));
    const stored: RunnerJobHandle = JSON.parse(JSON.stringify(handle));
    expect(stored).toEqual(handle);
    expect([stored.appName, stored.machineId]).not.toContain('');
    expect(await observed(substrate, stored, isRunning)).not.toHaveProperty('terminalErrorClass');
  });

  test('starting a run again returns the same handle: at once, later, from another server, after its end', async () => {
    const { substrate, open: another, specOf, made } = await open();
    const run = freshRun();
    const spec = specOf({ does: 'run' }, run);
    const handle = await substrate.start(spec);
    expect(await substrate.start(spec)).toEqual(handle);
    const restarted = await another();
    expect(await restarted.start(spec)).toEqual(handle);
    await observed(restarted, handle, isRunning);
    await substrate.stop(handle, { graceMs: 5_000 });
    await observed(substrate, handle, isOver);
    expect(await restarted.start(spec)).toEqual(handle);
    expect(isOver(await substrate.getStatus(handle))).toBe(true);
    expect(made(run)).toBe(1);
  });

  test('twenty concurrent starts of one run create one job', async () => {
    const { substrate, specOf, made } = await open();
    const run = freshRun();
    const spec = specOf({ does: 'run' }, run);
    const handles = await Promise.all(Array.from({ length: 20 }, () => substrate.start(spec)));
    expect(new Set(handles.map((handle) => JSON.stringify(handle))).size).toBe(1);
    expect(made(run)).toBe(1);
  });

  test('two servers that start one run at once create one job', async () => {
    const { substrate, open: another, specOf, made } = await open();
    const run = freshRun();
    const spec = specOf({ does: 'run' }, run);
    const other = await another();
    const [one, two] = await Promise.all([substrate.start(spec), other.start(spec)]);
    expect(one).toEqual(two);
    expect(made(run)).toBe(1);
  });

  test('every legal run id is distinct: the longest, odd characters, capitals, another workspace', async () => {
    const { substrate, specOf } = await open();
    const { workspaceId, runId } = freshRun();
    const ids = [runId, `${runId}.`, `${runId}:_-`, runId.toUpperCase(), runId.padEnd(128, 'x'), '.', '..'];
    const runs = [...ids.map((id) => ({ workspaceId, runId: id })), { workspaceId: 'workspace-2', runId }];
    const handles = new Set<string>();
    for (const run of runs) {
      const handle = await substrate.start(specOf({ does: 'run' }, run));
      handles.add(JSON.stringify(handle));
      expect(await substrate.find(specOf({ does: 'run' }, run))).toEqual([handle]);
    }
    expect(handles.size).toBe(runs.length);
  });

  test('a job that exits with 0 is terminated', async () => {
    const { substrate, specOf } = await open();
    const handle = await substrate.start(specOf({ does: 'exit', code: 0 }, freshRun()));
    const seen = await observed(substrate, handle, isOver);
    expect(seen).toMatchObject({ status: 'terminated', exitCode: 0 });
    expect(seen).not.toHaveProperty('terminalErrorClass');
  });

  test.each([
    [1, 'exit_nonzero'],
    [77, 'exit_nonzero'],
    [126, 'start_failed'],
    [127, 'start_failed'],
  ])('a job that exits with %i has failed: %s', async (code, terminalErrorClass) => {
    const { substrate, specOf } = await open();
    const handle = await substrate.start(specOf({ does: 'exit', code }, freshRun()));
    const seen = await observed(substrate, handle, isOver);
    expect(seen).toMatchObject({ status: 'failed', terminalErrorClass, exitCode: code });
    expect(seen.terminalErrorMessage).toContain(String(code));
  });

  test('a stop ends a job that obeys SIGTERM long before the grace period ends', async () => {
    const { substrate, handle } = await startRunning();
    const asked = performance.now();
    await substrate.stop(handle, { graceMs: 60_000 });
    expect((await observed(substrate, handle, isOver)).status).toBe('terminated');
    expect(performance.now() - asked).toBeLessThan(60_000);
  });

  test('a stop kills a job that ignores SIGTERM when the grace period ends, and not before', async () => {
    const { substrate, handle } = await startRunning({ does: 'ignore SIGTERM' });
    const graceMs = 300;
    const asked = performance.now();
    await substrate.stop(handle, { graceMs });
    await observed(substrate, handle, isOver);
    // Timers may fire slightly early.
    expect(performance.now() - asked).toBeGreaterThan(graceMs - 20);
  });

  test('a stop without a grace period kills the job', async () => {
    const { substrate, handle } = await startRunning({ does: 'ignore SIGTERM' });
    await substrate.stop(handle, { graceMs: 0 });
    await observed(substrate, handle, isOverOrGone);
  });

  test('a stop succeeds when repeated, after the end, and for a job that never existed', async () => {
    const { substrate, handle, nowhere } = await startRunning();
    await Promise.all([substrate.stop(handle), substrate.stop(handle)]);
    const end = await observed(substrate, handle, isOver);
    await substrate.stop(handle);
    await substrate.stop(handle, { graceMs: 100 });
    expect(await substrate.getStatus(handle)).toEqual(end);
    await substrate.stop(nowhere);
  });

  test('a stop from another server works, too', async () => {
    const { open: another, handle, substrate } = await startRunning();
    await (await another()).stop(handle);
    expect((await observed(substrate, handle, isOver)).status).toBe('terminated');
  });

  test('a job stopped before it could run never runs', async () => {
    const { substrate, specOf } = await open();
    const handle = await substrate.start(specOf({ does: 'run' }, freshRun()));
    await substrate.stop(handle, { graceMs: 0 });
    await observed(substrate, handle, isOverOrGone);
    expect(isOverOrGone(await substrate.getStatus(handle))).toBe(true);
  });

  test('a job that never existed is missing and has no logs', async () => {
    const { substrate, specOf, nowhere } = await open();
    expect(await substrate.getStatus(nowhere)).toMatchObject({ missing: true });
    expect((await substrate.tailLogs?.(nowhere)) ?? null).toBeNull();
    expect(await substrate.find(specOf({ does: 'run' }, freshRun()))).toEqual([]);
  });

  test('every server finds a job by its run and lists it', async () => {
    const { substrate, open: another, specOf } = await open();
    const [run, other] = [freshRun(), freshRun()];
    const before = Date.now();
    const spec = specOf({ does: 'run' }, run);
    const handle = await substrate.start(spec);
    await substrate.start(specOf({ does: 'run' }, other));
    const ownedIfHash = expect.toBeOneOf([null, spec.specHash]);
    for (const each of [substrate, await another()]) {
      expect(await each.find(spec)).toEqual([handle]);
      const found = (await each.list()).filter(({ runId }) => runId === run.runId);
      expect(found).toEqual([{ handle, ...run, createdAt: expect.any(Number), ownedIfHash }]);
      // Some substrates report whole seconds.
      expect(found[0]!.createdAt).toBeGreaterThan(before - 2_000);
      expect(found[0]!.createdAt).toBeLessThan(Date.now() + 2_000);
    }
  });

  test('a removed job is gone: after its end, while it runs, when repeated, and if it never existed', async () => {
    const { substrate, specOf, handle, run, nowhere } = await startRunning({ does: 'ignore SIGTERM' });
    const ended = freshRun();
    const endedHandle = await substrate.start(specOf({ does: 'exit', code: 0 }, ended));
    await observed(substrate, endedHandle, isOver);
    for (const each of [handle, endedHandle, handle, nowhere]) await substrate.remove(each);
    expect(await substrate.find(specOf({ does: 'run' }, run))).toEqual([]);
    expect(await substrate.find(specOf({ does: 'run' }, ended))).toEqual([]);
    const listed = (await substrate.list()).map(({ runId }) => runId);
    expect(listed).not.toContain(run.runId);
    expect(listed).not.toContain(ended.runId);
    expect(isOverOrGone(await substrate.getStatus(handle))).toBe(true);
    await substrate.stop(handle);
  });

  test('a substrate that is closed leaves its jobs running', async () => {
    const { substrate, open: another, handle } = await startRunning();
    const other = await another();
    await substrate.close();
    await substrate.close();
    expect((await other.getStatus(handle)).status).toBe('running');
  });
}
