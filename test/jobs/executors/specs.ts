import { randomUUID } from 'node:crypto';
import { processImage } from '../../../src/substrates/process/substrate.ts';
import type { JobSpec } from '../../../src/substrates/substrate.ts';

/** The owner of the tests' jobs. */
export const OWNER = 'the tests';

/** A log that nobody reads. */
export const SILENT = { warn: () => {}, error: () => {} };

/** Returns a spec whose image stands for this command line. */
export function jobSpec(command: readonly string[], changes: Partial<JobSpec> = {}): JobSpec {
  const runId = changes.runId ?? `run-${randomUUID()}`;
  return {
    runId,
    workspaceId: 'workspace',
    provider: 'openai',
    image: processImage('test', command),
    env: { RUNFEED_RUN_ID: runId },
    maxRunDurationMs: 600_000,
    region: 'local',
    specHash: 'one',
    secrets: [],
    ...changes,
  };
}

/** Returns a command line that runs a script in Node. */
export function nodeScript(script: string): readonly string[] {
  return [process.execPath, '-e', script];
}

export const FOREVER = nodeScript('setInterval(() => {}, 1000)');
