import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, open, readFile, rm, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createReleasers } from '../../lib/releasers.ts';

/** A run's own folder, which no other process uses meanwhile. */
export interface SpoolFolder {
  readonly path: string;
  /** Lets go of it; removes it if nothing is left in it. */
  release(): Promise<void>;
}

/** In the folder for temporary files anybody can take the first of these names; then the next one serves. */
const MAX_PARENTS = 10;

/**
 * Takes the folder for a run on a server, so that the next process for this run finds what was not delivered. `base` is
 * where these folders lie, which exists; undefined: a folder of this user's among the temporary files. Throws where the run's folder
 * is another user's, a link, or open to others: what lies in it could be anybody's.
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
      `${path} is not a folder that this user alone can use (mode 0700), so its events may be anybody's: remove it, or name another folder with --spool`,
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
    // It is this user's to tighten, and each run's folder in it is looked at, too.
    if (state === 'open') await chmod(path, 0o700);
    if (state !== 'foreign') return path;
  }
  throw new Error(`${name} and the names after it belong to others: name a folder with --spool`);
}

/** Makes the folder if there is none, and tells whose it is. `open`: this user's own, and others can use it, too. */
async function claimFolder(path: string): Promise<'own' | 'open' | 'foreign'> {
  await mkdir(path, { mode: 0o700 }).catch((error: unknown) => {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  });
  const stats = await lstat(path);
  const isOwn = process.getuid === undefined || stats.uid === process.getuid();
  if (!stats.isDirectory() || !isOwn) return 'foreign';
  // Windows has no such modes.
  return process.getuid !== undefined && (stats.mode & 0o077) !== 0 ? 'open' : 'own';
}

/** Two processes in one spool would mix up its numbers. What a killed one left behind counts no more. */
async function lock(path: string): Promise<void> {
  for (let tries = 0; tries < 2; tries += 1) {
    try {
      const file = await open(path, 'wx', 0o600);
      await file.writeFile(String(process.pid));
      await file.close();
      return;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
      const pid = Number(await readFile(path, 'utf8').catch(() => ''));
      if (isAlive(pid)) {
        throw new Error(`process ${pid} reports to this run already (if it is no runfeed, remove ${path})`);
      }
      await rm(path, { force: true });
    }
  }
  throw new Error(`another process has just taken ${path}`);
}

/** In a container it may well have been given this process's own number. */
function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0 || pid === process.pid) return false;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
