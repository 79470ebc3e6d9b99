import type { RunnerJobHandle } from '../../contract/jobs.ts';
import { createRedactor } from '../../lib/secrets/redact.ts';
import { createCalls } from '../fly-api/calls.ts';
import { createFlyClient } from '../fly-api/client.ts';
import {
  FLY_LIMITS,
  type FlyConfig,
  type FlyLimits,
  type FlyLog,
  flyConfigSchema,
} from '../fly-api/config.ts';
import { errorOf } from '../fly-api/faults.ts';
import { createSend } from '../fly-api/http.ts';
import type { Machine } from '../fly-api/machine.ts';
import type { OpenedSubstrate, SubstrateSetup } from '../setup.ts';
import { type JobObservation, type JobSpec, type LogTail, type Substrate, shownOf } from '../substrate.ts';
import { createApps } from './apps.ts';
import { createMachine, expectSameSpec } from './create.ts';
import { findMachines, listMachines } from './found.ts';
import { graceOf } from './grace.ts';
import { MAX_LOG_LINES, readLogs } from './logs.ts';
import { isKnownState, observe } from './states.ts';
import { createStats } from './stats.ts';
import { destroyForGood, destroyMachine, stopMachine } from './stop.ts';

/** Each state is logged once. A substrate that makes up new ones must not fill the log. */
const MAX_STATES_TOLD = 20;

/** Opens the substrate with the configuration under `fly`: see `fly/config.ts`. Throws if it is invalid. */
export function openSubstrate({ config, log }: SubstrateSetup): OpenedSubstrate {
  const parsed = flyConfigSchema.safeParse(config);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`);
    throw new Error(`the configuration of substrate fly is invalid: ${problems.join('; ')}`);
  }
  return {
    substrate: createFlySubstrate(parsed.data, { log }),
    imageOf: ({ name, image }) => {
      if (image === null) throw new Error(`runner ${name} needs an image to run on fly`);
      return image;
    },
  };
}

/**
 * Creates a substrate that runs jobs on Fly Machines: an app for each workspace and a machine for each run,
 * found again by their names. Sends nothing before its first call.
 */
export function createFlySubstrate(
  config: FlyConfig,
  { log, limits = FLY_LIMITS }: { readonly log: FlyLog; readonly limits?: FlyLimits },
): Substrate {
  const send = createSend(config.token, limits);
  const calls = createCalls(limits.callMs);
  const client = createFlyClient(send, config, limits);
  const apps = createApps(client, config, limits);
  const stats = createStats(send, calls, config, limits);
  const fly = { client, apps, config, limits, log };
  const starting = new Map<string, Promise<Machine>>();
  const statesTold = new Set<string>();
  const redact = createRedactor([config.token]);

  /** Concurrent starts of one run share one attempt. */
  async function start(spec: JobSpec): Promise<RunnerJobHandle> {
    const key = JSON.stringify([spec.workspaceId, spec.runId]);
    const redactSpec = createRedactor([config.token, ...spec.secrets]);
    const machine = starting.get(key) ?? calls.run(redactSpec, (call) => createMachine(fly, spec, call));
    starting.set(key, machine);
    try {
      const made = await machine;
      expectSameSpec(made, spec);
      return { appName: apps.nameOf(spec.workspaceId), machineId: made.id };
    } finally {
      if (starting.get(key) === machine) starting.delete(key);
    }
  }

  async function getStatus(handle: RunnerJobHandle): Promise<JobObservation> {
    const { appName, machineId } = handle;
    const result = await calls.run(redact, (call) => client.getMachine(appName, machineId, call));
    if (!result.ok) {
      if (result.fault.kind === 'missing') return { status: 'provisioning', missing: true };
      throw errorOf(result.fault);
    }
    tellUnknownState(handle, result.value);
    const seen = observe(result.value, redact);
    const resourceStats = seen.status === 'running' ? stats.latest(handle) : undefined;
    return resourceStats ? { ...seen, resourceStats } : seen;
  }

  function tellUnknownState({ appName, machineId }: RunnerJobHandle, { state }: Machine): void {
    if (isKnownState(state) || statesTold.has(state) || statesTold.size >= MAX_STATES_TOLD) return;
    statesTold.add(state);
    log.warn({ appName, machineId, state: state.slice(0, 100) }, 'Fly reported an unknown machine state');
  }

  function logTail(handle: RunnerJobHandle, lines: number, marginBytes: number): Promise<LogTail | null> {
    return calls
      .run(redact, (call) => readLogs(send, config, handle, lines, marginBytes, call))
      .catch(() => null);
  }

  return {
    kind: 'fly',
    host: null,
    showsEnvironment: true,
    pollMs: config.pollMs,
    // The log is not kept with the machine, which costs money as long as it exists.
    keepEndedMs: 0,
    machineClaims: true,
    start,
    getStatus,
    stop(handle, { graceMs = config.graceMs } = {}) {
      const grace = graceOf(graceMs);
      return calls.run(redact, (call) =>
        grace === 0
          ? destroyMachine(client, handle, limits, call)
          : stopMachine(client, handle, grace, limits, call),
      );
    },
    find: (run) => calls.run(redact, (call) => findMachines(fly, run, call)),
    list: () => calls.run(redact, (call) => listMachines(fly, call)),
    remove: (handle) => calls.run(redact, (call) => destroyForGood(client, handle, limits, call)),
    tailLogs: async (handle, lines = MAX_LOG_LINES) => shownOf(await logTail(handle, lines, 0)),
    logTail,
    getConsoleUrl: ({ appName, machineId }) =>
      `https://fly.io/apps/${encodeURIComponent(appName)}/machines/${encodeURIComponent(machineId)}`,
    close: () => calls.close(),
  };
}
