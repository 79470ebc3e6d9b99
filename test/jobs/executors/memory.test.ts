import { describe, expect, test } from 'vitest';
import { SubstrateError } from '../../../src/substrates/errors.ts';
import { type JobBehaviour, testExecutor } from '../../suites/executor.ts';
import { createFakeSubstrates } from '../../support/fake-substrate.ts';
import { releaseAfterwards } from '../../support/releases.ts';
import { specOf } from './fly-harness.ts';

function fakes() {
  const fake = createFakeSubstrates({
    behave(job, exit) {
      const behaviour: JobBehaviour = JSON.parse(job.spec.env.BEHAVIOUR!);
      job.ignoresSigterm = behaviour.does === 'ignore SIGTERM';
      if (behaviour.does === 'exit') exit(behaviour.code);
    },
  });
  releaseAfterwards(() => fake.close());
  return fake;
}

describe('the fake substrate in memory', () => {
  testExecutor(async () => {
    const fake = fakes();
    return {
      substrate: fake.open(),
      open: async () => fake.open(),
      specOf,
      made: ({ workspaceId, runId }) =>
        fake.jobs.filter(({ spec }) => spec.runId === runId && spec.workspaceId === workspaceId).length,
      nowhere: { appName: 'fake-nowhere', machineId: 'nothing' },
    };
  });

  test('loses answers, lags, holds up starts and makes hosts unreachable on request', async () => {
    const fake = fakes();
    const substrate = fake.open();
    const spec = specOf({ does: 'run' });
    fake.fail('start', { errorClass: 'outcome_unknown', mayExist: true, transient: true }, { done: true });
    await expect(substrate.start(spec)).rejects.toThrow(SubstrateError);
    const job = fake.job(spec.runId);
    Object.assign(job, { held: true, hidden: 1 });
    expect(await substrate.find(spec)).toEqual([]);
    expect(await substrate.find(spec)).toEqual([job.handle]);
    expect(await substrate.getStatus(job.handle)).toEqual({ status: 'provisioning' });
    job.held = false;
    expect(await substrate.getStatus(job.handle)).toEqual({ status: 'running' });
    job.unreachable = true;
    await substrate.stop(job.handle, { graceMs: 0 });
    expect(await substrate.getStatus(job.handle)).toMatchObject({
      status: 'running',
      terminalErrorClass: 'host_lost',
    });
    fake.lose(job);
    expect(await substrate.getStatus(job.handle)).toMatchObject({ missing: true });
    expect(fake.calls.map(({ method }) => method)).toEqual([
      'start',
      'find',
      'find',
      'getStatus',
      'getStatus',
      'stop',
      'getStatus',
      'getStatus',
    ]);
  });
});
