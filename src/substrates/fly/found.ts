import type { RunnerJobHandle } from '../../contract/jobs.ts';
import type { Call } from '../fly-api/calls.ts';
import type { FlyClient } from '../fly-api/client.ts';
import type { FlyConfig, FlyLimits, FlyLog } from '../fly-api/config.ts';
import { errorOf } from '../fly-api/faults.ts';
import { isOfRun, type Machine, metadataOf } from '../fly-api/machine.ts';
import { isAppName, MANAGED_BY, type RunName } from '../fly-api/names.ts';
import { retrying } from '../fly-api/tries.ts';
import type { FoundObject } from '../substrate.ts';
import type { FlyApps } from './apps.ts';

/** What {@link findMachines} and {@link listMachines} work with. */
export interface Finding {
  readonly client: FlyClient;
  readonly apps: FlyApps;
  readonly config: FlyConfig;
  readonly limits: FlyLimits;
  readonly log: FlyLog;
}

/** Returns the run's machines that are not destroyed. */
export async function findMachines(
  { client, apps, limits }: Finding,
  run: RunName,
  call: Call,
): Promise<RunnerJobHandle[]> {
  const appName = await apps.find(run.workspaceId, call);
  if (appName === null) return [];
  const filter = { metadata: ['run_id', run.runId], deleted: false } as const;
  const listed = await retrying(() => client.listMachines(appName, filter, call), limits, call);
  if (!listed.ok && listed.fault.kind === 'missing') return [];
  if (!listed.ok) throw errorOf(listed.fault);
  return listed.value
    .filter((machine) => isOfRun(machine, run) && machine.state !== 'destroyed')
    .map(({ id }) => ({ appName, machineId: id }));
}

/**
 * Lists all machines that runfeed created, app by app. An app that cannot be read is left out and logged:
 * absence from the list proves nothing.
 */
export async function listMachines(
  { client, config, limits, log }: Finding,
  call: Call,
): Promise<FoundObject[]> {
  const apps = await retrying(() => client.listApps(call), limits, call);
  if (!apps.ok) throw errorOf(apps.fault);
  const names = apps.value.apps.map(({ name }) => name).filter((name) => isAppName(config.appPrefix, name));
  const found: FoundObject[] = [];
  for (const app of names) {
    const filter = { metadata: ['managed_by', MANAGED_BY], deleted: false } as const;
    const listed = await retrying(() => client.listMachines(app, filter, call), limits, call);
    if (listed.ok) found.push(...listed.value.flatMap((machine) => objectOf(app, machine) ?? []));
    else if (listed.fault.kind !== 'missing') log.warn({ app }, listed.fault.message);
  }
  return found;
}

function objectOf(appName: string, machine: Machine): FoundObject | null {
  const { managed_by, workspace_id, run_id } = metadataOf(machine) ?? {};
  if (managed_by !== MANAGED_BY || workspace_id === undefined || run_id === undefined) return null;
  if (machine.state === 'destroyed') return null;
  const createdAt = Date.parse(machine.created_at ?? '');
  return {
    handle: { appName, machineId: machine.id },
    workspaceId: workspace_id,
    runId: run_id,
    // The sweep spares young machines, so one of unknown age counts as new.
    createdAt: Number.isNaN(createdAt) ? Date.now() : createdAt,
    ownedIfHash: null,
  };
}
