import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe } from 'vitest';
import { processImage } from '../../../src/substrates/process/substrate.ts';
import type { Substrate } from '../../../src/substrates/substrate.ts';
import { type JobBehaviour, testExecutor } from '../../suites/executor.ts';
import { createMachine, folderOf, type Machine } from './machine.ts';

/**
 * Returns a command line for each behavior. Its `ready` file shows that signals will be handled as intended.
 */
function commandOf(behaviour: JobBehaviour): readonly string[] {
  switch (behaviour.does) {
    case 'run':
      return ['sh', '-c', 'touch ready; exec sleep 600'];
    case 'exit':
      return ['sh', '-c', `exit ${behaviour.code}`];
    case 'ignore SIGTERM':
      return ['sh', '-c', "trap '' TERM; touch ready; while :; do sleep 1; done"];
  }
}

/** A process exists before its first line has run: a job counts as running once it is ready. */
function onceReady(machine: Machine, substrate: Substrate): Substrate {
  return {
    ...substrate,
    getStatus: async (handle) => {
      const seen = await substrate.getStatus(handle);
      const isReady = existsSync(join(folderOf(machine, handle), 'work', 'ready'));
      return seen.status === 'running' && !isReady ? { ...seen, status: 'provisioning' } : seen;
    },
  };
}

function foldersOf(machine: Machine, runId: string, workspaceId: string): number {
  return readdirSync(machine.folder).filter((name) => {
    const file = join(machine.folder, name, 'spec.json');
    if (!existsSync(file)) return false;
    const spec = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    return spec.runId === runId && spec.workspaceId === workspaceId;
  }).length;
}

describe('jobs as processes on this machine', () => {
  testExecutor(async () => {
    const machine = createMachine();
    const { host } = machine.substrate;
    return {
      substrate: onceReady(machine, machine.substrate),
      open: async () => onceReady(machine, machine.anotherServer()),
      specOf: (behaviour, run) => {
        const command = commandOf(behaviour);
        return machine.spec(command, { ...run, image: processImage('test', command) });
      },
      made: ({ runId, workspaceId }) => foldersOf(machine, runId, workspaceId),
      nowhere: { appName: host ?? '', machineId: 'nothing' },
    };
  });
});
