import { expect, test } from 'vitest';
import { describeStores, type TestDatabase } from '../support/databases.ts';
import type { FakeSubstrates } from '../support/fake-substrate.ts';
import { callsOf, fakes, oneProcess, runningJob } from '../support/job-harness.ts';
import { eventually } from '../support/runs.ts';

function testSweeps(database: TestDatabase): void {
  /** Creates an object that carries runfeed's mark and belongs to no job. */
  async function orphan(fake: FakeSubstrates, runId: string) {
    const spec = { runId, workspaceId: 'default', specHash: 'k.h', secrets: [], provider: 'openai' } as const;
    const made = { ...spec, image: 'i', env: {}, maxRunDurationMs: 1_000, region: 'local' };
    return fake.open().start(made);
  }

  test('an orphan is removed once two sweeps have seen it, and the object of a job is not', async () => {
    const { fake, process } = await oneProcess(database, fakes(), {
      sweep: 'remove',
      limits: { sweepMs: 150 },
    });
    const { runId } = await runningJob(process);
    await orphan(fake, 'nobody');
    const stuck = await orphan(fake, 'stuck');
    fake.job('stuck').unreachable = true;
    const lists = callsOf(fake, 'list').length;
    await eventually(() => callsOf(fake, 'list').length === lists + 1);
    expect(fake.job('nobody').removed).toBe(false);
    await eventually(() => fake.job('nobody').removed);
    fake.job('stuck').unreachable = false;
    await eventually(() => fake.job('stuck').removed);
    expect(fake.job(runId).removed).toBe(false);
    expect(process.log.join()).toContain(stuck.machineId);
  });

  test('a sweep spares young objects, whose job may be about to learn of them', async () => {
    const { fake } = await oneProcess(database, fakes(), {
      sweep: 'remove',
      limits: { sweepGraceMs: 60_000 },
    });
    await orphan(fake, 'young');
    await eventually(() => callsOf(fake, 'list').length >= 4);
    expect(fake.job('young').removed).toBe(false);
  });

  test('a dry run logs orphans and removes none', async () => {
    const { fake, process } = await oneProcess(database, fakes(), { sweep: 'dry-run' });
    await orphan(fake, 'nobody');
    await eventually(() => process.log.join().includes('belongs to no job'));
    expect(fake.job('nobody').removed).toBe(false);
    expect(callsOf(fake, 'remove')).toEqual([]);
  });

  test('a failed or empty list removes nothing', async () => {
    const { fake } = await oneProcess(database, fakes(), { sweep: 'remove' });
    await orphan(fake, 'nobody');
    fake.fail('list', { errorClass: 'substrate_error', transient: true }, { times: 3 });
    await eventually(() => callsOf(fake, 'list').length >= 4);
    expect(fake.job('nobody').removed).toBe(false);
    await eventually(() => fake.job('nobody').removed);
  });
}

describeStores('the orphan sweep', testSweeps);
