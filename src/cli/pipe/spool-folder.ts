import { createHash, randomBytes } from 'node:crypto';
import { chmod, lstat, mkdir, readdir, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeFolder } from '../../lib/make-folder.ts';
import { createReleasers } from '../../lib/releasers.ts';
import { lineOf } from '../../lib/text/error-line.ts';

/** The folder of one run, locked against other processes. */
export interface SpoolFolder {
  readonly path: string;
  /** Releases the lock, and removes the folder if it is empty. */
  release(): Promise<void>;
}

/** Any user can take a name in the temporary folder. Then the next name is tried, up to this many. */
const MAX_PARENTS = 10;

/**
 * Returns the folder in which runs have their folders, and creates it if it is missing. Without a name: this user's
 * folder in the temporary folder.
 */
export async function openSpoolParent(given: string | undefined): Promise<string> {
  try {
    if (given === undefined) return await ownParent();
    makeFolder(given, 0o700);
    return given;
  } catch (error) {
    const name = given === undefined ? 'the folder for undelivered events' : '--spool';
    throw new Error(`${name}: ${lineOf(error)}`, { cause: error });
  }
}

/**
 * Locks the folder of a run on a server. The next process for this run finds the undelivered events there.
 * Throws if another process holds the lock, or if the run's folder belongs to another user, is a link, or is
 * open to others: its content could be forged.
 */
export async function takeSpoolFolder(parent: string, url: string, runId: string): Promise<SpoolFolder> {
  const key = createHash('sha256').update(`${url}\n${runId}`).digest('hex').slice(0, 32);
  const path = join(parent, key);
  if ((await claimFolder(path)) !== 'own') {
    throw new Error(
      `${path} is not a folder that only this user can access (mode 0700), so its events may be forged: remove it, or pass another folder with --spool`,
    );
  }
  const releasers = createReleasers();
  releasers.add(() => rmdir(path).catch(() => {}));
  const file = await lock(path);
  releasers.add(() => rm(file, { force: true }));
  return { path, release: releasers.release };
}

async function ownParent(): Promise<string> {
  const name = join(tmpdir(), `runfeed-pipe-${process.getuid?.() ?? 'user'}`);
  for (let number = 0; number < MAX_PARENTS; number += 1) {
    const path = number === 0 ? name : `${name}-${number}`;
    const state = await claimFolder(path);
    // The folder is this user's, so its mode can be corrected. Each run's folder in it is checked as well.
    if (state === 'open') await chmod(path, 0o700);
    if (state !== 'foreign') return path;
  }
  throw new Error(`${name} and its numbered alternatives cannot be used: pass a folder with --spool`);
}

/** Creates the folder if missing and returns whose it is. `open`: this user's, but accessible to others. */
async function claimFolder(path: string): Promise<'own' | 'open' | 'foreign'> {
  await mkdir(path, { mode: 0o700 }).catch((error: unknown) => {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  });
  const stats = await lstat(path);
  const isOwn = process.getuid === undefined || stats.uid === process.getuid();
  if (!stats.isDirectory() || !isOwn) return 'foreign';
  // Windows has no such file modes.
  return process.getuid !== undefined && (stats.mode & 0o077) !== 0 ? 'open' : 'own';
}

/** The file that shows that a process uses the folder. Its name says which, so that no content need be written. */
const LOCK_FILE = /^lock-(\d+)-[0-9a-f]+$/;
const LOCK_TRIES = 3;
/** The longest pause before the next try. Random, so that processes that met once do not meet again. */
const LOCK_PAUSE_MS = 100;

/**
 * Locks a folder against other processes: two in one spool would mix up its numbers. A process first shows itself
 * and then looks for others, and leaves again if there is one. So of two processes at least one sees the other,
 * whatever the order of their steps, and no process ever removes the file of a living one. Returns the lock's file.
 */
async function lock(folder: string): Promise<string> {
  for (let tries = 1; ; tries += 1) {
    const own = `lock-${process.pid}-${randomBytes(8).toString('hex')}`;
    await writeFile(join(folder, own), '', { flag: 'wx', mode: 0o600 });
    const other = await otherHolder(folder, own);
    if (other === null) return join(folder, own);
    await rm(join(folder, own), { force: true });
    if (tries === LOCK_TRIES) {
      throw new Error(
        `process ${other.pid} already reports to this run (if it is not a runfeed process, remove ${join(folder, other.name)})`,
      );
    }
    await sleep(Math.random() * LOCK_PAUSE_MS);
  }
}

/** Returns a living process with a lock on the folder, or null. Removes the locks of killed ones. */
async function otherHolder(
  folder: string,
  own: string,
): Promise<{ readonly pid: number; readonly name: string } | null> {
  for (const name of await readdir(folder)) {
    const pid = Number(LOCK_FILE.exec(name)?.[1] ?? 0);
    if (pid === 0 || name === own) continue;
    if (isAlive(pid)) return { pid, name };
    await rm(join(folder, name), { force: true });
  }
  return null;
}

/** In a container, a killed process may have had this process's own number. */
function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0 || pid === process.pid) return false;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
