import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { JsonObject } from '../../contract/events.ts';

/** A file that gives a job's payload to its command. */
export interface PayloadFile {
  /** Variables for the command: `RUNFEED_PAYLOAD_FILE`, if there is a payload. */
  readonly env: Readonly<Record<string, string>>;
  /** Removes the file, if it exists. */
  remove(): Promise<void>;
}

/** Writes the payload, if there is one, as JSON to a file in the folder that only this user can read. */
export async function openPayloadFile(folder: string, payload: JsonObject | null): Promise<PayloadFile> {
  if (payload === null) return { env: {}, remove: async () => {} };
  const path = join(folder, 'payload.json');
  const remove = (): Promise<void> => rm(path, { force: true });
  // A file left behind by a killed process would keep its mode if it were overwritten.
  await remove();
  await writeFile(path, JSON.stringify(payload), { mode: 0o600, flag: 'wx' });
  return { env: { RUNFEED_PAYLOAD_FILE: path }, remove };
}
