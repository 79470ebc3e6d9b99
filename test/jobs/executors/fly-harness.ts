import { expect } from 'vitest';
import { SubstrateError, type SubstrateFailure } from '../../../src/substrates/errors.ts';
import { createFlySubstrate } from '../../../src/substrates/fly/substrate.ts';
import { FLY_LIMITS, type FlyLimits, flyConfigSchema } from '../../../src/substrates/fly-api/config.ts';
import type { JobSpec, Substrate } from '../../../src/substrates/substrate.ts';
import { type ExecutorHarness, freshRun, type JobBehaviour } from '../../suites/executor.ts';
import type { FakeMachine, Guest } from '../../support/fake-fly/machine.ts';
import { type FakeFly, startFakeFly } from '../../support/fake-fly/server.ts';
import { releaseAfterwards } from '../../support/releases.ts';

/** No waiting: the limits themselves are tested where they matter. */
export const FAST: FlyLimits = {
  ...FLY_LIMITS,
  requestMs: 5_000,
  callMs: 20_000,
  pauseMs: 2,
  maxPauseMs: 50,
  lookPauseMs: 2,
  rateMs: 0,
  statsMs: 0,
};

export const IMAGE = `registry.example/runner@sha256:${'ab'.repeat(32)}`;

/** A fake Fly and a substrate on it. */
export interface FlyHarness extends ExecutorHarness {
  readonly fly: FakeFly;
  /** What the substrate logged. */
  readonly logged: string[];
  openWith(config?: Readonly<Record<string, unknown>>, limits?: Partial<FlyLimits>): Substrate;
}

/** Starts both. Afterwards checks that every request conformed to Fly's documentation. */
export async function openFly(limits: Partial<FlyLimits> = {}): Promise<FlyHarness> {
  const fly = await startFakeFly({ guestOf });
  releaseAfterwards(async () => {
    await fly.close();
    expect(fly.violations).toEqual([]);
  });
  const logged: string[] = [];
  const log = {
    warn: (fields: object, message: string) => void logged.push(`${message} ${JSON.stringify(fields)}`),
  };

  function openWith(
    config: Readonly<Record<string, unknown>> = {},
    more: Partial<FlyLimits> = {},
  ): Substrate {
    const given = flyConfigSchema.parse({
      token: fly.world.token,
      org: fly.world.org,
      ...fly.urls,
      ...config,
    });
    const substrate = createFlySubstrate(given, { log, limits: { ...FAST, ...limits, ...more } });
    releaseAfterwards(() => substrate.close());
    return substrate;
  }

  return {
    fly,
    logged,
    substrate: openWith(),
    openWith,
    open: async () => openWith(),
    specOf,
    made: ({ workspaceId, runId }) =>
      fly.world.machines.filter(
        ({ config: { metadata } }) => metadata?.run_id === runId && metadata.workspace_id === workspaceId,
      ).length,
    nowhere: { appName: 'runfeed-aaaaaaaaaaaaaaaaaaaa', machineId: '0123456789abcd' },
  };
}

/** Returns a spec of a job that behaves like this in the fake. */
export function specOf(behaviour: JobBehaviour, run = freshRun(), more: Partial<JobSpec> = {}): JobSpec {
  return {
    ...run,
    provider: 'openai',
    image: IMAGE,
    env: { RUNFEED_RUN_ID: run.runId, BEHAVIOUR: JSON.stringify(behaviour) },
    maxRunDurationMs: 60_000,
    region: 'ams',
    specHash: 'hash-1',
    secrets: [],
    ...more,
  };
}

function guestOf({ config }: FakeMachine): Guest {
  const behaviour: JobBehaviour = JSON.parse(config.env?.BEHAVIOUR ?? '{"does":"run"}');
  if (behaviour.does === 'exit') return { exited: Promise.resolve(behaviour.code) };
  const { promise, resolve } = withResolvers();
  return { exited: promise, ...(behaviour.does === 'run' && { terminate: () => resolve(143) }) };
}

function withResolvers(): { promise: Promise<number>; resolve: (code: number) => void } {
  let resolve: (code: number) => void = () => {};
  const promise = new Promise<number>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/** Returns why a call failed. */
export async function failureOf(call: Promise<unknown>): Promise<SubstrateFailure> {
  const error: unknown = await call.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof SubstrateError)) throw new Error('expected a SubstrateError', { cause: error });
  return error.failure;
}

/** Starts a job whose machine does only what the test says. */
export async function openJob(limits: Partial<FlyLimits> = {}) {
  const harness = await openFly(limits);
  harness.fly.world.progress = 'by hand';
  const spec = specOf({ does: 'run' });
  const handle = await harness.substrate.start(spec);
  return { ...harness, spec, handle, machine: harness.fly.machine() };
}

/** The same, with the main process running. */
export async function openRunningJob(limits: Partial<FlyLimits> = {}) {
  const job = await openJob(limits);
  job.fly.advance(job.machine);
  job.fly.advance(job.machine);
  return job;
}
