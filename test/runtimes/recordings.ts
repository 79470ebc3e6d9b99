import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// Recordings of real runs are not part of the package: they are next to it, or in the folder
// RUNFEED_CAPTURES.
const folder =
  process.env.RUNFEED_CAPTURES ?? fileURLToPath(new URL('../../../shared/captures', import.meta.url));
const indexFile = join(folder, 'index.json');

/** True if the recordings exist. */
export const recordingsPresent = existsSync(indexFile);

/** A recorded stream, as described in the index of the recordings. */
export interface Recording {
  readonly file: string;
  readonly runtime: string;
  /** The last line about the outcome, in words. */
  readonly terminal: string;
  readonly exitCode?: number;
}

/** All recordings; none if the folder is missing. */
export const recordings: readonly Recording[] = recordingsPresent
  ? JSON.parse(readFileSync(indexFile, 'utf8'))
  : [];

/** Returns the bytes of a recording. */
export function bytesOfRecording({ file }: Recording): Buffer {
  return readFileSync(join(folder, file));
}

/** Returns the lines of a recording that are JSON objects, read without an adapter. */
export function objectsOf(recording: Recording): WireObject[] {
  return bytesOfRecording(recording)
    .toString()
    .split('\n')
    .filter((line) => line.startsWith('{"'))
    .map((line) => JSON.parse(line));
}

/** A value from the wire. Only the caller knows which of these fields it has. */
export interface WireObject {
  readonly type: string;
  readonly role: string;
  readonly id: string;
  readonly text: string;
  readonly tool_id: string;
  readonly tool_use_id: string;
  readonly content: string;
  readonly item: WireObject;
  readonly message: { readonly content: readonly WireObject[] };
}
