import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// Recordings of real runs are not part of the package: they are looked for beside it, or where RUNFEED_CAPTURES says.
const folder =
  process.env.RUNFEED_CAPTURES ?? fileURLToPath(new URL('../../../shared/captures', import.meta.url));
const indexFile = join(folder, 'index.json');

/** Whether the recordings are there. */
export const recordingsPresent = existsSync(indexFile);

/** A recorded stream, as the index beside the recordings describes it. */
export interface Recording {
  readonly file: string;
  readonly runtime: string;
  /** The last line that says how it ended, in words. */
  readonly terminal: string;
  readonly exitCode?: number;
}

/** All recordings; none if they are not there. */
export const recordings: readonly Recording[] = recordingsPresent
  ? JSON.parse(readFileSync(indexFile, 'utf8'))
  : [];

/** The bytes of a recording. */
export function bytesOfRecording({ file }: Recording): Buffer {
  return readFileSync(join(folder, file));
}

/** The lines of a recording that are JSON objects, read without an adapter. */
export function objectsOf(recording: Recording): WireObject[] {
  return bytesOfRecording(recording)
    .toString()
    .split('\n')
    .filter((line) => line.startsWith('{"'))
    .map((line) => JSON.parse(line));
}

/** A value from the wire of which only the caller knows what it is. */
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
