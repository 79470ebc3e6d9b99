import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { openUidRegistry } from '../../../src/substrates/job-folders/uids.ts';
import { releaseAfterwards } from '../../support/releases.ts';
import { freshFolder } from '../../support/scripts.ts';

const RANGE = { first: 64_300, last: 64_309 };
const ALL = Array.from({ length: 10 }, (_, index) => RANGE.first + index);

async function open(place: string) {
  const registry = await openUidRegistry([place]);
  releaseAfterwards(() => registry.close());
  return registry;
}

const place = async () => join(await freshFolder(), 'uids');

afterEach(() => {
  vi.useRealTimers();
});

describe.skipIf(process.getuid?.() !== 0)('the uids of a machine (needs root)', () => {
  test('are claimed once each by servers that share nothing else, and are free again once released', async () => {
    const at = await place();
    const [one, other] = [await open(at), await open(at)];
    const uids = await Promise.all(
      ALL.map((_, index) => (index % 2 === 0 ? one : other).claim(`/jobs/${index}`, RANGE, 0.95)),
    );
    expect(uids.toSorted()).toEqual(ALL);
    await expect(one.claim('/jobs/more', RANGE, 0)).rejects.toMatchObject({
      failure: { errorClass: 'capacity' },
    });
    await other.release({ uid: uids[3]!, folder: '/jobs/3' });
    expect(await one.claim('/jobs/more', RANGE, 0)).toBe(uids[3]);
  });

  test('are found in ranges with more taken uids in a row than are tried one by one', async () => {
    const registry = await open(await place());
    const range = { first: 64_300, last: 64_899 };
    const folders = Array.from({ length: 599 }, (_, index) => ({
      uid: range.first + index,
      folder: '/jobs/a',
    }));
    await registry.note(folders);
    expect(await registry.claim('/jobs/b', range, 0)).toBe(range.last);
    await expect(registry.claim('/jobs/c', range, 0)).rejects.toMatchObject({
      failure: { errorClass: 'capacity' },
    });
  });

  test('include those of folders that were there before', async () => {
    const registry = await open(await place());
    await registry.note([
      { uid: RANGE.first, folder: '/jobs/old' },
      { uid: RANGE.first, folder: '/jobs/of another server' },
    ]);
    await registry.release({ uid: RANGE.first, folder: '/jobs/old' });
    expect(await registry.claim('/jobs/new', RANGE, 0)).toBe(RANGE.first + 1);
  });

  test('are not claimed while any process has them', async () => {
    const child = spawn('sleep', ['300'], { uid: RANGE.first, gid: RANGE.first });
    releaseAfterwards(async () => {
      child.kill('SIGKILL');
      // The next test expects that no process has this uid.
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    });
    const registry = await open(await place());
    await expect.poll(() => statSync(`/proc/${child.pid}`).uid).toBe(RANGE.first);
    expect(await registry.claim('/jobs/a', RANGE, 0)).toBe(RANGE.first + 1);
  });

  test('are claimed without the processes that were not seen, which are killed', async () => {
    // The process table is read once in a second of this clock.
    vi.useFakeTimers({ toFake: ['performance'] });
    const registry = await open(await place());
    expect(await registry.claim('/jobs/a', RANGE, 0)).toBe(RANGE.first);
    const uid = RANGE.first + 1;
    const child = spawn('sleep', ['300'], { uid, gid: uid });
    releaseAfterwards(() => child.kill('SIGKILL'));
    const exit = once(child, 'exit');
    await expect.poll(() => statSync(`/proc/${child.pid}`).uid).toBe(uid);
    expect(await registry.claim('/jobs/b', RANGE, 0)).toBe(uid);
    expect(await exit).toEqual([null, 'SIGKILL']);
  });

  test('come back from folders that are gone, but not from one that may be about to be created', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const at = await place();
    const registry = await open(at);
    const jobs = await freshFolder();
    for (const uid of ALL) mkdirSync(join(jobs, String(uid)));
    await registry.note(ALL.slice(2).map((uid) => ({ uid, folder: join(jobs, String(uid)) })));
    await registry.note([{ uid: ALL[0]!, folder: join(jobs, 'gone') }]);
    vi.setSystemTime(Date.now() + 11 * 60_000);
    await registry.note([{ uid: ALL[1]!, folder: join(jobs, 'coming') }]);
    expect(await registry.claim('/jobs/a', RANGE, 0)).toBe(ALL[0]);
    await expect(registry.claim('/jobs/b', RANGE, 0)).rejects.toMatchObject({
      failure: { errorClass: 'capacity' },
    });
  });

  test('are kept where only root can read and write, or not at all', async () => {
    const at = await place();
    await open(at);
    expect([statSync(at).mode & 0o777, statSync(join(at, 'uids.db')).mode & 0o777]).toEqual([0o700, 0o600]);
    symlinkSync(at, `${at}-link`);
    await expect(openUidRegistry([`${at}-link`])).rejects.toThrow('must be a folder of root');
    chmodSync(at, 0o755);
    await expect(openUidRegistry([at])).rejects.toThrow(`${at} must be a folder of root with mode 0700`);
  });

  test('are kept in the next place if the first cannot be written to', async () => {
    const at = await place();
    const registry = await openUidRegistry(['/proc/runfeed', at]);
    registry.close();
    expect(statSync(join(at, 'uids.db')).isFile()).toBe(true);
    await expect(openUidRegistry(['/proc/runfeed'])).rejects.toThrow('/proc/runfeed');
  });
});
