import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, lineOf } from '../../lib/text/error-line.ts';
import type { JobLog } from '../substrate.ts';
import { removeTree } from './remove-tree.ts';

/** Begins the names of folders that are being created or removed, which no server takes for a job. */
export const UNFINISHED = '.unfinished-';

/** An unfinished folder older than this was left by a process that died over it, or could not remove it. */
const LEFT_BEHIND_MS = 10 * 60_000;

/** Removes what was left behind here. One failure must not hold up the rest, and the next sweep tries again. */
export async function sweepUnfinished(root: string, log: JobLog): Promise<void> {
  for (const name of (await readdir(root)).filter((entry) => entry.startsWith(UNFINISHED))) {
    const path = join(root, name);
    try {
      if (await isLeftBehind(path)) await removeTree(path);
    } catch (error) {
      log.warn({ path, reason: lineOf(error) }, 'could not remove what is left of a job, and will try again');
    }
  }
}

/** Folders of other users are those of other servers. */
async function isLeftBehind(path: string): Promise<boolean> {
  try {
    const { uid, ctimeMs } = await lstat(path);
    return uid === process.geteuid?.() && Date.now() - ctimeMs > LEFT_BEHIND_MS;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}
