import { readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import * as contract from '../../src/contract/index.ts';

const room = fileURLToPath(new URL('../../src/contract', import.meta.url));

/** Returns everything that `file` imports, also indirectly: files by path in the folder, packages by name. */
function importsOf(file: string, found = new Set<string>()): ReadonlySet<string> {
  const source = readFileSync(resolve(room, file), 'utf8');
  for (const [, name = ''] of source.matchAll(
    /(?:\bfrom|\bimport|\bimport\(|\brequire\()\s*['"]([^'"]+)['"]/g,
  )) {
    const target = name.startsWith('.') ? relative(room, resolve(room, dirname(file), name)) : name;
    if (found.has(target)) continue;
    found.add(target);
    if (name.startsWith('.') && !target.startsWith('..')) importsOf(target, found);
  }
  return found;
}

describe('the published entry', () => {
  it('has exactly these names', () => {
    expect(Object.keys(contract).sort()).toStrictEqual([
      'CLOSE_CODES',
      'FAULT_CODES',
      'OUTCOME_CODES',
      'PROVIDER_RUNTIME_JOB_STATUSES',
      'PROVIDER_RUNTIME_KINDS',
      'RUNNER_EVENT_BATCH_MAX_EVENTS',
      'RUNNER_EVENT_BATCH_VALIDATION_CODES',
      'RUNNER_EVENT_KINDS',
      'RUNNER_EVENT_VERSION',
      'RUN_PROVIDERS',
      'RunnerRuntimeNotImplementedError',
      'runnerEventBatchSchema',
      'validateRunnerEventBatch',
    ]);
  });

  it('has constants with exactly these values, in this order', () => {
    expect(contract.RUNNER_EVENT_VERSION).toBe(1);
    expect(contract.RUNNER_EVENT_BATCH_MAX_EVENTS).toBe(256);
    expect(contract.RUNNER_EVENT_KINDS).toStrictEqual([
      'runtime_started',
      'assistant_text',
      'tool_request',
      'tool_response',
      'skill_loaded',
      'file_uploaded',
      'notification',
      'stream_error',
      'runtime_terminal',
    ]);
    expect(contract.RUNNER_EVENT_BATCH_VALIDATION_CODES).toStrictEqual([
      'invalid_envelope',
      'version_mismatch',
      'missing_run_id',
      'empty_batch',
      'batch_too_large',
      'invalid_event',
      'seq_not_monotonic',
      't_ms_not_monotonic',
    ]);
    expect(contract.PROVIDER_RUNTIME_JOB_STATUSES).toStrictEqual([
      'queued',
      'provisioning',
      'running',
      'stopping',
      'terminated',
      'failed',
    ]);
    expect(contract.PROVIDER_RUNTIME_KINDS).toStrictEqual(['fly', 'process']);
    expect(contract.RUN_PROVIDERS).toStrictEqual(['anthropic', 'deepseek', 'openai', 'gemini', 'mistral']);
  });

  it('imports nothing from outside its folder except zod, and the validator not even zod', () => {
    const outside = (file: string) => [...importsOf(file)].filter((name) => !/^[\w-]+\.ts$/.test(name));
    expect(importsOf('index.ts')).toContain('validate.ts');
    expect(outside('index.ts')).toStrictEqual(['zod']);
    expect(outside('validate.ts')).toStrictEqual([]);
  });
});

describe('a provider without a runner', () => {
  it('causes an error that names the provider and says what to do', () => {
    const error = new contract.RunnerRuntimeNotImplementedError('mistral');
    expect(error).toBeInstanceOf(Error);
    expect(error.name).toBe('RunnerRuntimeNotImplementedError');
    expect(error.provider).toBe('mistral');
    expect(error.message).toBe(
      'No runner is configured for provider "mistral"; configure one, or start the run with another provider.',
    );
  });
});
