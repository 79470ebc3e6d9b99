import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// Recordings of real runs are not part of the package: they are next to it, or in the folder
// RUNFEED_CAPTURES.
const folder =
  process.env.RUNFEED_CAPTURES ?? fileURLToPath(new URL('../../../shared/captures', import.meta.url));
const indexFile = join(folder, 'index.json');

/** True if there are recordings. Tests that need recordings report that they are skipped. */
export const capturesPresent = existsSync(indexFile);

export interface Capture {
  readonly file: string;
  readonly runtime: string;
  /** The outcome in the words of the wire. */
  readonly terminal: string;
  readonly exitCode?: number;
}

const index: readonly Capture[] = capturesPresent ? JSON.parse(readFileSync(indexFile, 'utf8')) : [];

/** Returns the recordings of one runtime; none if the folder is missing. */
export function capturesOf(runtime: string): readonly Capture[] {
  return index.filter((capture) => capture.runtime === runtime);
}

export function bytesOf(capture: Capture): Buffer {
  return readFileSync(join(folder, capture.file));
}

/** Returns the JSON of every `data:` line, read without the adapter, as the type that the caller expects. */
export function frameObjectsOf<Frame>(capture: Capture): Frame[] {
  return bytesOf(capture)
    .toString()
    .split(/\r?\n/)
    .filter((line) => line.startsWith('data:'))
    .map((line) => JSON.parse(line.slice(5)));
}
