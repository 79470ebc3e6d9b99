import type { RunnerJobHandle } from '../../contract/jobs.ts';
import { SubstrateError } from '../errors.ts';
import type { Call } from '../fly-api/calls.ts';
import type { FlyClient } from '../fly-api/client.ts';
import type { FlyLimits } from '../fly-api/config.ts';
import { errorOf } from '../fly-api/faults.ts';
import { paused, retrying } from '../fly-api/tries.ts';
import { goDurationOf } from './grace.ts';

/**
 * Makes Fly send SIGTERM, then SIGKILL after the grace period. A machine that has ended or does not exist
 * counts as stopped.
 */
export async function stopMachine(
  client: FlyClient,
  { appName, machineId }: RunnerJobHandle,
  graceMs: number,
  limits: FlyLimits,
  call: Call,
): Promise<void> {
  // Fly's default signal is SIGINT.
  const stop = { signal: 'SIGTERM', timeout: goDurationOf(graceMs) } as const;
  const result = await retrying(() => client.stopMachine(appName, machineId, stop, call), limits, call);
  if (!result.ok && result.fault.kind !== 'missing') throw errorOf(result.fault);
}

/** Kills and destroys a machine, without waiting for it to be gone. */
export async function destroyMachine(
  client: FlyClient,
  { appName, machineId }: RunnerJobHandle,
  limits: FlyLimits,
  call: Call,
): Promise<void> {
  const result = await retrying(() => client.destroyMachine(appName, machineId, call), limits, call);
  if (!result.ok && result.fault.kind !== 'missing') throw errorOf(result.fault);
}

/** Destroys a machine and waits until it is gone. While its host is unreachable, Fly only notes this. */
export async function destroyForGood(
  client: FlyClient,
  handle: RunnerJobHandle,
  limits: FlyLimits,
  call: Call,
): Promise<void> {
  await destroyMachine(client, handle, limits, call);
  const look = () => client.getMachine(handle.appName, handle.machineId, call);
  for (let looks = 1; looks <= limits.goneLooks; looks += 1) {
    const result = await retrying(look, limits, call);
    if (!result.ok && result.fault.kind !== 'missing') throw errorOf(result.fault);
    if (!result.ok || result.value.state === 'destroyed') return;
    if (!(await paused(limits.pauseMs, call))) break;
  }
  throw new SubstrateError({
    errorClass: 'substrate_error',
    message: `machine ${handle.machineId} is not destroyed yet`,
    transient: true,
  });
}
