import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { takeSpoolFolder } from '../../src/cli/pipe/spool-folder.ts';
import { releaseAfterwards } from '../support/releases.ts';

const CONTENDER = new URL('./children/spool-contender.mjs', import.meta.url);
const URL_OF_SERVER = 'http://x/graphql';
const ROUNDS = 40;
/** Above the highest process id of Linux. */
const DEAD_PID = 4_194_305;

async function freshBase(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'runfeed-spool-'));
}

function startContender(): ChildProcess {
  const child = fork(CONTENDER);
  releaseAfterwards(() => void child.kill());
  return child;
}

async function ask(child: ChildProcess, message: object): Promise<boolean> {
  child.send(message);
  const [answer] = await once(child, 'message');
  return answer as boolean;
}

test.each([
  ['fresh', false],
  ['locked by a killed process', true],
])(
  'two processes that lock a %s folder at the same time never both get it',
  async (_state, isStale) => {
    const base = await freshBase();
    const contenders = [startContender(), startContender()];
    const counts = [0, 0, 0];
    for (let round = 0; round < ROUNDS; round += 1) {
      const runId = `r${round}`;
      if (isStale) {
        const folder = await takeSpoolFolder(base, URL_OF_SERVER, runId);
        await writeFile(join(folder.path, `lock-${DEAD_PID}-00`), '');
        await folder.release();
      }
      // Both wait for this moment, because their races last less than it takes to deliver a message.
      const request = { base, url: URL_OF_SERVER, runId, at: Date.now() + 30 };
      const taken = await Promise.all(contenders.map((child) => ask(child, request)));
      counts[taken.filter(Boolean).length]! += 1;
      await Promise.all(contenders.map((child) => ask(child, { release: true })));
    }
    expect(counts[2]).toBe(0);
    // Two that keep meeting may both give up, but that takes several meetings in a row.
    expect(counts[1]).toBeGreaterThan(ROUNDS / 2);
  },
  60_000,
);

test('a released folder can be locked again, and is removed when it is empty', async () => {
  const base = await freshBase();
  const first = await takeSpoolFolder(base, URL_OF_SERVER, 'r');
  await mkdir(join(first.path, 'kept'));
  await first.release();
  const second = await takeSpoolFolder(base, URL_OF_SERVER, 'r');
  expect(second.path).toBe(first.path);
  expect(await readdir(base)).toHaveLength(1);
});
