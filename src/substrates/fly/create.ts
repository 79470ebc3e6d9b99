import { SubstrateError, type SubstrateFailure } from '../errors.ts';
import type { Call } from '../fly-api/calls.ts';
import type { FlyClient } from '../fly-api/client.ts';
import type { FlyConfig, FlyLimits } from '../fly-api/config.ts';
import { errorOf, type Fault } from '../fly-api/faults.ts';
import { isOfRun, type Machine, metadataOf } from '../fly-api/machine.ts';
import { pauseAfter, paused } from '../fly-api/tries.ts';
import type { JobSpec } from '../substrate.ts';
import type { FlyApps } from './apps.ts';
import { lookUp } from './look-up.ts';
import { requestOf } from './request.ts';

/** What {@link createMachine} works with. */
export interface Creation {
  readonly client: FlyClient;
  readonly apps: FlyApps;
  readonly config: FlyConfig;
  readonly limits: FlyLimits;
}

const UNKNOWN: Partial<SubstrateFailure> = {
  errorClass: 'outcome_unknown',
  transient: true,
  mayExist: true,
};

/**
 * Returns the run's one machine: the existing one, in whatever state, or a new one. Fly takes no idempotency
 * key, and a lost answer proves nothing. So the machine is looked for before the first create and after every
 * unclear one. While lists lag, its name prevents a second machine: only destroyed machines free their names.
 */
export async function createMachine(fly: Creation, spec: JobSpec, call: Call): Promise<Machine> {
  const { client, apps, config, limits } = fly;
  const request = requestOf(spec, config);
  const app = await apps.ensure(spec.workspaceId, call);
  const look = await lookUp(client, app, spec, limits, call);
  if (look.kind === 'failed') throw errorOf(look.fault);
  if (look.kind === 'found') return look.machine;

  const regions = [...new Set([spec.region, ...config.fallbackRegions])];
  let doubtful = false;
  let appWasGone = false;
  let tried = 0;
  for (;;) {
    const made = await client.createMachine(app, { ...request, region: regions[0]! }, call);
    if (made.ok) return made.value;
    const { fault } = made;
    switch (fault.kind) {
      case 'capacity':
      case 'quota':
        regions.shift();
        if (regions.length === 0) throw errorOf(fault, { mayExist: doubtful });
        continue;
      case 'missing':
        if (appWasGone) throw errorOf(fault, { mayExist: doubtful });
        appWasGone = true;
        apps.forget(app);
        await apps.ensure(spec.workspaceId, call);
        continue;
      case 'auth':
      case 'invalid':
      case 'unsent':
        throw errorOf(fault, { mayExist: doubtful });
      case 'unclear':
      case 'taken': {
        doubtful = true;
        const found = await settle(fly, app, spec, fault, call);
        if (found) return found;
        break;
      }
      case 'throttled':
      case 'busy':
        break;
    }
    tried += 1;
    const pause = tried < limits.tries ? pauseAfter(fault, tried, limits) : null;
    if (pause === null || !(await paused(pause, call))) throw errorOf(fault, doubtful ? UNKNOWN : {});
  }
}

/**
 * Finds what an unclear create made, or what holds the name. Only two look-ups in a row prove that nothing
 * exists (null): then the same name may be tried again.
 */
async function settle(
  { client, limits }: Creation,
  app: string,
  spec: JobSpec,
  fault: Fault,
  call: Call,
): Promise<Machine | null> {
  let stranger: Machine | null = null;
  if (fault.holder !== null) {
    const holder = await client.getMachine(app, fault.holder, call);
    if (holder.ok && isOfRun(holder.value, spec)) return holder.value;
    if (holder.ok) stranger = holder.value;
  }
  for (let looks = 0; looks < 2; looks += 1) {
    const pause = limits.lookPauseMs * (1 + Math.random());
    if (!(await paused(pause, call))) throw errorOf(fault, UNKNOWN);
    const look = await lookUp(client, app, spec, limits, call);
    if (look.kind === 'found') return look.machine;
    if (look.kind === 'failed') throw errorOf(look.fault, UNKNOWN);
  }
  if (stranger) throw heldByStranger(stranger);
  return null;
}

/** A foreign machine has the run's name: nothing is created, and that machine is left alone. */
function heldByStranger({ id, name }: Machine): SubstrateError {
  const message = `machine ${id} has the name "${name}" but is not this run's: destroy it or configure another appPrefix`;
  return new SubstrateError({ errorClass: 'config_invalid', message });
}

/** Throws if the machine was created from another spec: one run is one job. */
export function expectSameSpec(machine: Machine, spec: JobSpec): void {
  const hash = metadataOf(machine)?.spec_hash;
  if (hash === undefined || hash === spec.specHash) return;
  const message = `machine ${machine.id} was created for run "${spec.runId}" from another spec: create a new run`;
  throw new SubstrateError({ errorClass: 'config_invalid', message });
}
