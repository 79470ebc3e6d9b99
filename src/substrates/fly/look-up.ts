import type { Call } from '../fly-api/calls.ts';
import type { FlyClient } from '../fly-api/client.ts';
import type { FlyLimits } from '../fly-api/config.ts';
import type { Fault } from '../fly-api/faults.ts';
import { isOfRun, type Machine } from '../fly-api/machine.ts';
import type { RunName } from '../fly-api/names.ts';
import { retrying } from '../fly-api/tries.ts';

/** What exists under a run's name. */
export type Look =
  | { readonly kind: 'found'; readonly machine: Machine }
  /** No proof that nothing exists: lists lag. */
  | { readonly kind: 'nothing' }
  | { readonly kind: 'failed'; readonly fault: Fault };

/** Looks for a run's machine, even a destroyed one: its name is free, but the run must not run again. */
export async function lookUp(
  client: FlyClient,
  app: string,
  run: RunName,
  limits: FlyLimits,
  call: Call,
): Promise<Look> {
  const filter = { metadata: ['run_id', run.runId], deleted: true } as const;
  const listed = await retrying(() => client.listMachines(app, filter, call), limits, call);
  if (!listed.ok) {
    return listed.fault.kind === 'missing' ? { kind: 'nothing' } : { kind: 'failed', fault: listed.fault };
  }
  const ours = listed.value.filter((machine) => isOfRun(machine, run));
  const machine = ours.find((each) => !isDestroyed(each)) ?? ours.at(0);
  return machine ? { kind: 'found', machine } : { kind: 'nothing' };
}

function isDestroyed({ state }: Machine): boolean {
  return state === 'destroyed';
}
