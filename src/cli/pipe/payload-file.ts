import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { JsonObject } from '../../contract/events.ts';

/** A job's payload where its command can read it. */
export interface PayloadFile {
  /** Variables for the command: `RUNFEED_PAYLOAD_FILE`, if there is a payload. */
  readonly env: Readonly<Record<string, string>>;
  remove(): Promise<void>;
}

/** Writes the payload as JSON into a file of the folder, readable by this user alone. */
export async function openPayloadFile(folder: string, payload: JsonObject | null): Promise<PayloadFile> {
  if (payload === null) return { env: {}, remove: async () => {} };
  const path = join(folder, 'payload.json');
  const remove = (): Promise<void> => rm(path, { force: true });
  // One that a killed process left behind keeps its mode when it is written over.
  await remove();
  await writeFile(path, JSON.stringify(payload), { mode: 0o600, flag: 'wx' });
  return { env: { RUNFEED_PAYLOAD_FILE: path }, remove };
}
