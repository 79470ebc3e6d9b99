import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, open, rm, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfiguredFile } from '../../lib/configured-file.ts';
import { createReleasers } from '../../lib/releasers.ts';

/** The folder of one run, locked against other processes. */
export interface SpoolFolder {
  readonly path: string;
  /** Releases the lock, and removes the folder if it is empty. */
  release(): Promise<void>;
}

/** Any user can take a name in the temporary folder. Then the next name is tried, up to this many. */
const MAX_PARENTS = 10;

/**
 * Locks the folder of a run on a server. The next process for this run finds the undelivered events there.
 * `base` is the existing parent folder; undefined: this user's folder in the temporary folder. Throws if
 * another process holds the lock, or if the run's folder belongs to another user, is a link, or is open to
 * others: its content could be forged.
 */
export async function takeSpoolFolder(
  base: string | undefined,
  url: string,
  runId: string,
): Promise<SpoolFolder> {
  const key = createHash('sha256').update(`${url}\n${runId}`).digest('hex').slice(0, 32);
  const path = join(base ?? (await ownParent()), key);
  if ((await claimFolder(path)) !== 'own') {
    throw new Error(
      `${path} is not a folder that only this user can access (mode 0700), so its events may be forged: remove it, or pass another folder with --spool`,
    );
  }
  const releasers = createReleasers();
  releasers.add(() => rmdir(path).catch(() => {}));
  await lock(join(path, 'pid'));
  releasers.add(() => rm(join(path, 'pid'), { force: true }));
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

/** More than any process id takes. */
const MAX_PID_BYTES = 1024;

/** Two processes in one spool would mix up its numbers. The lock of a killed process is replaced. */
async function lock(path: string): Promise<void> {
  for (let tries = 0; tries < 2; tries += 1) {
    try {
      const file = await open(path, 'wx', 0o600);
      await file.writeFile(String(process.pid));
      await file.close();
      return;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
      const read = readConfiguredFile(path, MAX_PID_BYTES);
      const pid = read.ok ? Number(read.text) : 0;
      if (isAlive(pid)) {
        throw new Error(
          `process ${pid} already reports to this run (if it is not a runfeed process, remove ${path})`,
        );
      }
      await rm(path, { force: true });
    }
  }
  throw new Error(`another process has just locked ${path}: try again`);
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
