import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// Recordings of real runs are not part of the package: they are looked for beside it, or where RUNFEED_CAPTURES says.
const folder =
  process.env.RUNFEED_CAPTURES ?? fileURLToPath(new URL('../../../shared/captures', import.meta.url));
const indexFile = join(folder, 'index.json');

/** Whether there are recordings. Tests that need them say that they are skipped. */
export const capturesPresent = existsSync(indexFile);

export interface Capture {
  readonly file: string;
  readonly runtime: string;
  /** In the wire's own words. */
  readonly terminal: string;
  readonly exitCode?: number;
}

const index: readonly Capture[] = capturesPresent ? JSON.parse(readFileSync(indexFile, 'utf8')) : [];

/** The recordings of one runtime; none where the folder is missing. */
export function capturesOf(runtime: string): readonly Capture[] {
  return index.filter((capture) => capture.runtime === runtime);
}

export function bytesOf(capture: Capture): Buffer {
  return readFileSync(join(folder, capture.file));
}

/** The JSON of every `data:` line, read without the adapter and its splitter; of the shape that the caller expects. */
export function frameObjectsOf<Frame>(capture: Capture): Frame[] {
  return bytesOf(capture)
    .toString()
    .split(/\r?\n/)
    .filter((line) => line.startsWith('data:'))
    .map((line) => JSON.parse(line.slice(5)));
}
