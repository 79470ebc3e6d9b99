import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, statSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, readdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { JobsUser } from '../../config/jobs-user.ts';
import { makeFolder } from '../../lib/make-folder.ts';
import { codeOf } from '../../lib/text/error-line.ts';
import { createPauses } from '../../lib/waiting/turns.ts';
import { SubstrateError } from '../errors.ts';
import type { JobLog } from '../substrate.ts';
import { type JobFile, readJobFile, storeJobFile, WORK_FOLDER } from './files.ts';
import { removeTree } from './remove-tree.ts';
import type { UidOfFolder, UidRegistry } from './uids.ts';
import { sweepUnfinished, UNFINISHED } from './unfinished.ts';
import type { ProcessUser } from './user.ts';

/** The folders of one server's jobs on a machine. */
export interface JobFolders {
  /** Returns the folder of a run's job, and creates it with this content if it does not exist. */
  make(spec: Omit<JobFile<'spec.json'>, 'id' | 'createdAt'>): Promise<JobFolder>;
  /** Returns null also if the run's folder is that of a job with another spec: no database has both. */
  ofRun(run: RunOfJob): JobFolder | null;
  ofMachine(machineId: string): JobFolder | null;
  /** Reads all folders, in slices: there are those of a day. Also removes what earlier removals left. */
  all(): Promise<readonly JobFolder[]>;
  /** Hides a folder from all servers, then deletes it. */
  remove(folder: JobFolder): Promise<void>;
  /** Deletes a folder that an earlier removal hid but could not delete, if there is one. */
  finishRemoval(machineId: string): Promise<void>;
}

/** What {@link openJobFolders} needs. */
export interface JobFoldersOptions {
  readonly root: string;
  /** The id of the database that has the jobs. Its copies have the same. */
  readonly owner: string;
  readonly user: JobsUser | null;
  /** Needed if each job has its own user. */
  readonly uids: UidRegistry | null;
  readonly log: JobLog;
}

/** The run whose job is in a folder. */
export type RunOfJob = Pick<JobFile<'spec.json'>, 'workspaceId' | 'runId' | 'specHash'>;

/** One job's folder on disk. */
export interface JobFolder {
  readonly path: string;
  /** Identifies this very folder, not one created later for the same run. */
  readonly machineId: string;
  readonly spec: JobFile<'spec.json'>;
  /** Returns the user that the command runs as: the owner of the folder that it starts in. */
  user(): ProcessUser;
  /** Returns that user's uid if no other job runs as it, else null. */
  ownUid(): number | null;
}

/** Folders that are read in one turn of the event loop: about 1 ms. */
const SLICE = 16;

/** Uids that are added to the registry in one transaction. */
const NOTED_AT_ONCE = 256;

const NAME = /^[0-9a-f]{32}$/;
const OWNER_FOLDER = /^of-[0-9a-f]{16}$/;
const MACHINE_ID = /^([0-9a-f]{32})-([0-9a-f]{16})$/;

/** Other users may pass through to their own folders but cannot list this one. */
const PASSABLE = 0o711;

/**
 * Opens the folder in which servers keep their jobs, and creates it if it is missing. Only the server's user
 * can read its files. The jobs of each owner are in a subfolder. Jobs that older versions left next to the
 * subfolders are found too. By run, a job is found only with its spec's hash, which no other database's server
 * can make. If commands run as another user, that user owns the folders that they start in.
 */
export function openJobFolders(options: JobFoldersOptions): JobFolders {
  const { root, owner, user: jobsUser, uids, log } = options;
  const own = join(root, ownerFolder(owner));
  makeFolder(own, 0o700);
  for (const folder of [own, root]) if (jobsUser) chmodSync(folder, PASSABLE);
  const pauses = createPauses();
  let noted: Promise<void> | null = null;

  function isOwn(uid: number): boolean {
    return jobsUser?.kind === 'each' && uid >= jobsUser.first && uid <= jobsUser.last;
  }

  /** Returns the results for all of these names without null. */
  async function inSlices<Result>(
    names: readonly string[],
    read: (name: string) => Result | null,
  ): Promise<Result[]> {
    const pause = pauses();
    const results: Result[] = [];
    for (const [index, name] of names.entries()) {
      if (index % SLICE === 0) await pause();
      const result = read(name);
      if (result !== null) results.push(result);
    }
    return results;
  }

  /** Adds the folders here that are older than the registry, including those of other servers. */
  async function noteUids(registry: UidRegistry): Promise<void> {
    const servers = (await readdir(root)).filter((entry) => OWNER_FOLDER.test(entry));
    for (const folder of [root, ...servers.map((name) => join(root, name))]) {
      const found = await inSlices(await namesIn(folder), (name): UidOfFolder | null => {
        const path = join(folder, name);
        const uid = ownerOfWork(path);
        return uid ? { uid, folder: path } : null;
      });
      for (let from = 0; from < found.length; from += NOTED_AT_ONCE)
        await registry.note(found.slice(from, from + NOTED_AT_ONCE));
    }
  }

  function allNoted(registry: UidRegistry): Promise<void> {
    noted ??= noteUids(registry).catch((error: unknown) => {
      noted = null;
      throw error;
    });
    return noted;
  }

  /** A job keeps its uid until its folder is removed. */
  async function placeForOwnUser(
    name: string,
    spec: JobFile<'spec.json'>,
    range: Extract<JobsUser, { kind: 'each' }>,
  ): Promise<void> {
    if (!uids) throw new Error('jobs with separate users need a registry of uids');
    await allNoted(uids);
    const folder = join(own, name);
    const uid = await uids.claim(folder, range, Number.parseInt(name.slice(0, 8), 16) / 2 ** 32);
    try {
      await placeFolder(own, name, spec, { uid, gid: uid });
    } finally {
      // Another server may have been faster, with another uid.
      if (ownerOfWork(folder) !== uid) await uids.release({ uid, folder });
    }
  }

  async function place(name: string, spec: JobFile<'spec.json'>): Promise<void> {
    if (!jobsUser) return placeFolder(own, name, spec, null);
    if (jobsUser.kind === 'one') return placeFolder(own, name, spec, jobsUser);
    return placeForOwnUser(name, spec, jobsUser);
  }

  function read(name: string, folder: string = own): JobFolder | null {
    const path = join(folder, name);
    const spec = readJobFile(path, 'spec.json');
    if (!spec) return null;
    const user = () => {
      const owner = userOfWork(path);
      if (!jobsUser || (jobsUser.kind === 'one' ? owner.uid === jobsUser.uid : isOwn(owner.uid)))
        return owner;
      const message = 'the job was created for another JOBS_USER: create a new run';
      throw new SubstrateError({ errorClass: 'config_invalid', message });
    };
    const ownUid = () => {
      const uid = ownerOfWork(path);
      return uid !== null && isOwn(uid) ? uid : null;
    };
    return { path, machineId: `${name}-${spec.id}`, spec, user, ownUid };
  }

  async function sweep(): Promise<void> {
    for (const folder of [own, root]) await sweepUnfinished(folder, log);
  }

  /** Deletes a hidden folder. `path` is where it was. */
  async function removeHidden(hidden: string, path: string, uid: number | null): Promise<void> {
    await removeTree(hidden);
    if (uid !== null) await uids?.release({ uid, folder: path });
  }

  // A folder that is gone or unreadable by now says so at the first listing.
  sweep().catch(() => {});
  // Early, so that the first job need not wait for it. A failure comes back with the first claim.
  if (uids) allNoted(uids).catch(() => {});
  return {
    make: async (content) => {
      const name = nameOf(content);
      const there = read(name);
      if (there) return there;
      const spec = { ...content, id: randomBytes(8).toString('hex'), createdAt: Date.now() };
      await place(name, spec);
      const made = read(name);
      if (!made) throw new Error('a job’s folder was removed while it was being created');
      return made;
    },
    ofRun: (run) => {
      const name = nameOf(run);
      const found = [read(name), read(name, root)];
      return found.find((folder) => folder?.spec.specHash === run.specHash) ?? null;
    },
    ofMachine: (machineId) => {
      const [, name = '', id] = MACHINE_ID.exec(machineId) ?? [];
      const found = name ? [read(name), read(name, root)] : [];
      return found.find((folder) => folder?.spec.id === id) ?? null;
    },
    all: async () => {
      await sweep();
      return [
        ...(await inSlices(await namesIn(own), (name) => read(name))),
        ...(await inSlices(await namesIn(root), (name) => read(name, root))),
      ];
    },
    remove: async ({ path, spec }) => {
      const hidden = hiddenPath(dirname(path), spec.id);
      const uid = ownerOfWork(path) ?? ownerOfWork(hidden);
      try {
        await rename(path, hidden);
      } catch (error) {
        // Another process is removing it too, or died while doing so.
        if (codeOf(error) !== 'ENOENT') throw error;
      }
      await removeHidden(hidden, path, uid);
    },
    finishRemoval: async (machineId) => {
      const [, name, id] = MACHINE_ID.exec(machineId) ?? [];
      if (name === undefined || id === undefined) return;
      for (const folder of [own, root]) {
        const hidden = hiddenPath(folder, id);
        await removeHidden(hidden, join(folder, name), ownerOfWork(hidden));
      }
    },
  };
}

/** Returns the name of the subfolder for one owner's jobs. */
export function ownerFolder(owner: string): string {
  return `of-${createHash('sha256').update(owner).digest('hex').slice(0, 16)}`;
}

/** Creates a folder that appears with its content: no process finds it half made. The first one stays. */
async function placeFolder(
  root: string,
  name: string,
  spec: JobFile<'spec.json'>,
  user: ProcessUser | null,
): Promise<void> {
  const draft = await mkdtemp(join(root, UNFINISHED));
  try {
    const work = join(draft, WORK_FOLDER);
    await mkdir(work, { mode: 0o700 });
    if (user) {
      await chown(work, user.uid, user.gid);
      await chmod(draft, PASSABLE);
    }
    await storeJobFile(draft, 'spec.json', spec);
    await rename(draft, join(root, name));
  } catch (error) {
    await removeTree(draft);
    if (!['ENOTEMPTY', 'EEXIST'].includes(codeOf(error))) throw error;
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => NAME.test(name));
}

function userOfWork(path: string): ProcessUser {
  const { uid, gid } = statSync(join(path, WORK_FOLDER));
  return { uid, gid };
}

/** Returns null if it has no such folder. */
function ownerOfWork(path: string): number | null {
  return statSync(join(path, WORK_FOLDER), { throwIfNoEntry: false })?.uid ?? null;
}

/** Returns where a folder is while it is being removed. */
function hiddenPath(folder: string, id: string): string {
  return join(folder, `${UNFINISHED}${id}`);
}

/** Hashes the ids of a run: used as names, they could be too long or lead out of the folder. */
function nameOf({ workspaceId, runId }: Pick<RunOfJob, 'workspaceId' | 'runId'>): string {
  return createHash('sha256')
    .update(JSON.stringify([workspaceId, runId]))
    .digest('hex')
    .slice(0, 32);
}
