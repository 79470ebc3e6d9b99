import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type FakeMachine, type Guest, makeMachine } from '../support/fake-fly/machine.ts';
import { type FakeFly, startFakeFly } from '../support/fake-fly/server.ts';
import { programGuest } from '../support/program-guest.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { chance } from './job-plan.ts';

/** The runner program of a proven job. */
export const PLANNED_RUNNER = fileURLToPath(new URL('children/planned-runner.mjs', import.meta.url));

/** A fake Fly with faults whose machines run the planned runner. */
export interface PlannedMachines {
  readonly fly: FakeFly;
  /** The working folder of the programs in machines. */
  readonly folder: string;
  /** Returns how many unrequested machines were created. */
  twins(): number;
}

const TWIN_SHARE = 0.5;
const LATEST_TWIN_MS = 1_500;
const LOST_ANSWERS = 2;

/**
 * Starts a fake Fly. Some answers to creates are lost, lists lag, and some runs get a second machine with the
 * same environment, as if a create had been executed twice.
 */
export async function startPlannedMachines(): Promise<PlannedMachines> {
  const folder = mkdtempSync(join(tmpdir(), 'runfeed-machines-'));
  releaseAfterwards(() => rmSync(folder, { recursive: true, force: true }));
  const fly = await startFakeFly({ guestOf });
  let isOver = false;
  releaseAfterwards(() => {
    isOver = true;
    return fly.close();
  });
  fly.world.listLag = 1;
  fly.fail('createMachine', { kind: 'done, then reset' }, LOST_ANSWERS);
  const twins = new Set<FakeMachine>();

  function guestOf(machine: FakeMachine): Guest {
    if (!twins.has(machine) && chance(TWIN_SHARE)) void addTwin(machine);
    return programGuest(PLANNED_RUNNER, machine, folder);
  }

  /** Adds a second machine: at once, for a race to the claim, or while the first one works. */
  async function addTwin(machine: FakeMachine): Promise<void> {
    await sleep(chance(0.5) ? 0 : Math.random() * LATEST_TWIN_MS);
    if (machine.state !== 'started' || isOver) return;
    const { app, name, region, config } = machine;
    const twin = makeMachine(app, name, region, config, 0);
    twins.add(twin);
    fly.world.machines.push(twin);
    while (twin.state !== 'started') fly.advance(twin);
  }

  return { fly, folder, twins: () => twins.size };
}
