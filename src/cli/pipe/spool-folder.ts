import { createHash } from 'node:crypto';
import { lstat, mkdir, open, readFile, rm, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createReleasers } from '../../lib/releasers.ts';

/** A run's own folder, which no other process uses meanwhile. */
export interface SpoolFolder {
  readonly path: string;
  /** Lets go of it; removes it if nothing is left in it. */
  release(): Promise<void>;
}

/**
 * Takes the folder for a run on a server, so that who comes back for it finds what was not delivered. `base` is where
 * these folders lie; undefined: a folder of this user's among the temporary files.
 */
export async function takeSpoolFolder(
  base: string | undefined,
  url: string,
  runId: string,
): Promise<SpoolFolder> {
  const key = createHash('sha256').update(`${url}\n${runId}`).digest('hex').slice(0, 32);
  const parent = base ?? join(tmpdir(), `runfeed-pipe-${process.getuid?.() ?? 'user'}`);
  const path = join(parent, key);
  await mkdir(parent, { recursive: true, mode: 0o700 });
  // In the folder for temporary files somebody else could have made it first, to read along.
  if (base === undefined) await checkOwner(parent);
  await mkdir(path, { recursive: true, mode: 0o700 });
  const releasers = createReleasers();
  releasers.add(() => rmdir(path).catch(() => {}));
  await lock(join(path, 'pid'));
  releasers.add(() => rm(join(path, 'pid'), { force: true }));
  return { path, release: releasers.release };
}

async function checkOwner(path: string): Promise<void> {
  const stats = await lstat(path);
  const isOwn = process.getuid === undefined || stats.uid === process.getuid();
  if (stats.isDirectory() && isOwn) return;
  throw new Error(`${path} is not this user's own folder: say with --spool where events may be kept`);
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
