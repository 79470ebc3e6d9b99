import { chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { JOB_LIMITS } from '../../../src/jobs/reconcile/limits.ts';
import { startSweep } from '../../../src/jobs/reconcile/sweep.ts';
import { openStore } from '../../../src/store/open.ts';
import { openJobFolders, ownerFolder } from '../../../src/substrates/job-folders/folders.ts';
import type { UidOfFolder, UidRegistry } from '../../../src/substrates/job-folders/uids.ts';
import { freshSqliteUrl } from '../../support/databases.ts';
import { createFakeSubstrates } from '../../support/fake-substrate.ts';
import { releaseAfterwards } from '../../support/releases.ts';
import { freshFolder } from '../../support/scripts.ts';
import { startTurnMeter } from '../../support/turn-meter.ts';
import { OWNER, SILENT } from './specs.ts';

const FOLDERS = 640;
const PER_TURN = 16;
const FIRST = 64_400;

/** Creates the folders of ended jobs, with the uids from FIRST on if `root` runs the test. */
function createFolders(root: string, asRoot: boolean): void {
  for (let index = 0; index < FOLDERS; index += 1) {
    const folder = join(root, ownerFolder(OWNER), index.toString(16).padStart(32, '0'));
    mkdirSync(join(folder, 'work'), { recursive: true });
    if (asRoot) chownSync(join(folder, 'work'), FIRST + index, FIRST + index);
    const spec = { id: '0'.repeat(16), workspaceId: 'w', runId: `${index}`, image: 'i', specHash: 'h' };
    writeFileSync(join(folder, 'spec.json'), JSON.stringify({ ...spec, createdAt: 0 }));
  }
}

test('the folders of many jobs are listed with a bounded number of them per turn of the event loop', async () => {
  const root = await freshFolder();
  createFolders(root, false);
  const folders = openJobFolders({ root, owner: OWNER, user: null, uids: null, log: SILENT });
  const { turns } = startTurnMeter();
  expect(await folders.all()).toHaveLength(FOLDERS);
  expect(turns()).toBeGreaterThanOrEqual(FOLDERS / PER_TURN - 1);
});

test.skipIf(process.getuid?.() !== 0)(
  'the uids of many jobs are read in many turns, once, and not again at each start (needs root)',
  async () => {
    const root = await freshFolder();
    createFolders(root, true);
    const noted: UidOfFolder[] = [];
    let next = FIRST + FOLDERS;
    const uids: UidRegistry = {
      claim: async () => {
        next += 1;
        return next;
      },
      note: async (folders) => void noted.push(...folders),
      release: async () => {},
      close: () => {},
    };
    const user = { kind: 'each', first: FIRST, last: FIRST + 2 * FOLDERS } as const;
    const { turns } = startTurnMeter();
    const folders = openJobFolders({ root, owner: OWNER, user, uids, log: SILENT });
    const spec = { workspaceId: 'w', image: 'i', specHash: 'h' };
    await folders.make({ ...spec, runId: 'new' });
    expect(turns()).toBeGreaterThanOrEqual(FOLDERS / PER_TURN - 1);
    expect(noted.map(({ uid }) => uid).toSorted()).toEqual(
      Array.from({ length: FOLDERS }, (_, index) => FIRST + index),
    );
    await folders.make({ ...spec, runId: 'newer' });
    expect(noted).toHaveLength(FOLDERS);
  },
);

test('a sweep over many objects asks for one job per turn of the event loop', async () => {
  const store = await openStore(await freshSqliteUrl());
  releaseAfterwards(() => store.close());
  const fake = createFakeSubstrates();
  releaseAfterwards(() => fake.close());
  const asked = startTurnMeter();
  const found = Array.from({ length: 200 }, (_, index) => ({
    handle: { appName: 'a', machineId: `${index}` },
    workspaceId: 'w',
    runId: `${index}`,
    createdAt: 0,
    ownedIfHash: null,
  }));
  const sweep = startSweep({
    store: {
      ...store,
      findRun: (...run) => {
        asked.add(1);
        return store.findRun(...run);
      },
    },
    substrates: new Map([['process', { ...fake.open(), list: async () => found }]] as const),
    mode: 'dry-run',
    limits: JOB_LIMITS,
    log: SILENT,
  });
  await sweep.run();
  await sweep.close();
  expect([asked.all(), asked.most()]).toEqual([found.length, 1]);
});
