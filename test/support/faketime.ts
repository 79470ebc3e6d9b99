import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/**
 * The library of Debian's package `faketime`. Without it the wall clock of a single process cannot be set.
 */
export const FAKETIME = readdirSync('/usr/lib')
  .map((folder) => `/usr/lib/${folder}/faketime/libfaketimeMT.so.1`)
  .find((file) => existsSync(file));
if (!FAKETIME) console.warn('faketime is not installed: tests that set the clock are skipped');

/**
 * Returns the environment of a process whose wall clock can be set, for example to `+3600`. Its monotonic
 * clock is not affected.
 */
export async function settableClock() {
  const folder = await mkdtemp(join(tmpdir(), 'runfeed-clock-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const offset = join(folder, 'offset');
  const set = (seconds: string) => writeFile(offset, `${seconds}\n`);
  await set('+0');
  const environment = {
    LD_PRELOAD: FAKETIME ?? '',
    FAKETIME_TIMESTAMP_FILE: offset,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
  return { folder, set, environment };
}
