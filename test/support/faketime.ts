import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** Of Debian's package `faketime`: without it the wall clock of a process cannot be set alone. */
export const FAKETIME = readdirSync('/usr/lib')
  .map((folder) => `/usr/lib/${folder}/faketime/libfaketimeMT.so.1`)
  .find((file) => existsSync(file));
if (!FAKETIME) console.warn('faketime is not installed: what happens when the clock is set is not tested');

/** The environment of a process whose wall clock can be set, such as by `+3600`. Its monotonic clock goes on. */
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
