import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { openUidRegistry } from '../../../src/substrates/job-folders/uids.ts';
import { releaseAfterwards } from '../../support/releases.ts';
import { freshFolder } from '../../support/scripts.ts';
import { createChain, hasPerl } from './chain.ts';
import { createMachine, ended, pidOf, WAIT } from './machine.ts';

const RANGE = { kind: 'each', first: 64_500, last: 64_509 } as const;

/** A chain that nothing but its uid tells from other processes: without mark, and each in its own group. */
const UNMARKED = "POSIX::setsid(); $0 = 'x' x 4000";

/** Creates a machine whose jobs have users of their own. */
async function createMachineWithUsers() {
  const uids = await openUidRegistry([join(await freshFolder(), 'uids')]);
  releaseAfterwards(() => uids.close());
  return createMachine({ shimMs: 200 }, { user: RANGE, uids });
}

/** Returns true if the chain is dead before the wait is over. */
function isDead(chain: { readonly ended: Promise<void> }): Promise<boolean> {
  return Promise.race([chain.ended.then(() => true), setTimeout(WAIT.timeout, false)]);
}

describe.skipIf(!hasPerl)('processes that fork and exit faster than they can be found (needs perl)', () => {
  describe.skipIf(process.getuid?.() !== 0)('of a job with its own user (needs root)', () => {
    test('are all killed when the job is stopped', async () => {
      const machine = await createMachineWithUsers();
      const chain = await createChain(UNMARKED);
      const handle = await machine.start(chain.command);
      await chain.begun;
      await machine.substrate.stop(handle, { graceMs: 0 });
      await ended(machine.substrate, handle);
      expect(await isDead(chain)).toBe(true);
    });

    test('are all killed when the job is removed, without its shim', async () => {
      const machine = await createMachineWithUsers();
      const chain = await createChain(UNMARKED);
      const handle = await machine.start(chain.command);
      await chain.begun;
      process.kill(await pidOf(machine, handle, 'pid.json'), 'SIGKILL');
      await ended(machine.substrate, handle);
      await machine.substrate.remove(handle);
      expect(await isDead(chain)).toBe(true);
    });
  });

  test.each([
    ['in one group', ''],
    ['in a group each', 'POSIX::setsid()'],
  ])('%s, of a job whose user has others, are killed, or a warning names the job', async (_, perLink) => {
    const warnings: unknown[] = [];
    const log = { warn: (...line: unknown[]) => void warnings.push(line), error: () => {} };
    const machine = createMachine({}, { log });
    const chain = await createChain(perLink);
    const handle = await machine.start(chain.command);
    await chain.begun;
    await machine.substrate.stop(handle, { graceMs: 0 });
    await ended(machine.substrate, handle);
    await machine.substrate.getStatus(handle);
    if (warnings.length === 0) expect(await isDead(chain)).toBe(true);
    else
      expect(warnings).toEqual([
        [
          { runId: expect.any(String) as string, machineId: handle.machineId },
          expect.stringContaining('Set JOBS_USER to a range') as string,
        ],
      ]);
  });
});
