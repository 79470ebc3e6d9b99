import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, readdirSync, rmSync, statSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { JobsUser } from '../../../config/jobs-user.ts';
import { codeOf } from '../../../lib/error-line.ts';
import { makeFolder } from '../../../lib/make-folder.ts';
import { SubstrateError } from '../../errors.ts';
import { type JobFile, readJobFile, storeJobFile, WORK_FOLDER } from './files.ts';
import type { ProcessUser } from './user.ts';

/** The folders of one server's jobs on a machine. */
export interface JobFolders {
  /** Returns the folder of a run's job, and creates it with this content if it does not exist. */
  make(spec: Omit<JobFile<'spec.json'>, 'id' | 'createdAt'>): Promise<JobFolder>;
  ofRun(run: RunOfJob): JobFolder | null;
  ofMachine(machineId: string): JobFolder | null;
  all(): readonly JobFolder[];
  /** Hides a folder from all servers, then deletes it. */
  remove(folder: JobFolder): Promise<void>;
}

/** The run whose job is in a folder. */
export type RunOfJob = Pick<JobFile<'spec.json'>, 'workspaceId' | 'runId' | 'specHash'>;

/** One job's folder on disk. */
export interface JobFolder {
  readonly path: string;
  /** Identifies this very folder, not one created later for the same run. */
  readonly machineId: string;
  readonly spec: JobFile<'spec.json'>;
  /** True if it may belong to another server: older versions kept the jobs of all databases in one folder. */
  readonly isShared: boolean;
  /** Returns the user that the command runs as: the owner of the folder that it starts in. */
  user(): ProcessUser;
  /** Returns that user's uid if no other job runs as it, else null. */
  ownUid(): number | null;
}

/** An unfinished folder older than this was left by a process that died over it. */
const LEFT_BEHIND_MS = 10 * 60_000;

const UNFINISHED = '.unfinished-';
const NAME = /^[0-9a-f]{32}$/;
const OWNER_FOLDER = /^of-[0-9a-f]{16}$/;
const MACHINE_ID = /^([0-9a-f]{32})-([0-9a-f]{16})$/;

/** Other users may pass through to their own folders but cannot list this one. */
const PASSABLE = 0o711;

/**
 * Opens the folder in which servers keep their jobs, and creates it if it is missing. Only the server's user
 * can read its files. The jobs of each owner are in a subfolder. Jobs that older versions left next to the
 * subfolders are found too, but by run only with the spec's hash, which no other server can make. If commands
 * run as another user, that user owns the folders that they start in.
 */
export function openJobFolders(root: string, owner: string, jobsUser: JobsUser | null = null): JobFolders {
  const own = join(root, ownerFolder(owner));
  makeFolder(own, 0o700);
  for (const folder of [own, root]) {
    if (jobsUser) chmodSync(folder, PASSABLE);
    sweepUnfinished(folder);
  }
  /** Uids of jobs whose folders are being created. */
  const reserved = new Set<number>();

  function isOwn(uid: number): boolean {
    return jobsUser?.kind === 'each' && uid >= jobsUser.first && uid <= jobsUser.last;
  }

  /** Returns the uids of all jobs in the folder, including those of other servers. */
  function takenUids(): ReadonlySet<number> {
    const servers = readdirSync(root).filter((entry) => OWNER_FOLDER.test(entry));
    const folders = [root, ...servers.map((name) => join(root, name))];
    const uids = folders.flatMap((folder) =>
      namesIn(folder).flatMap((name) => ownerOfWork(join(folder, name)) ?? []),
    );
    return new Set([...uids, ...reserved]);
  }

  /** Picks a uid that no job uses. A job keeps its uid until its folder is removed. */
  function freeUid(name: string, first: number, last: number): number {
    const taken = takenUids();
    const size = last - first + 1;
    // Servers that share the folder begin at different uids.
    const start = Number.parseInt(name.slice(0, 8), 16);
    for (let tries = 0; tries < Math.min(size, taken.size + 1); tries += 1) {
      const uid = first + ((start + tries) % size);
      if (!taken.has(uid)) return uid;
    }
    throw new SubstrateError({
      errorClass: 'capacity',
      message: 'every uid of JOBS_USER is in use by a job of the last day: set a larger range',
      transient: true,
    });
  }

  async function place(name: string, spec: JobFile<'spec.json'>): Promise<void> {
    if (!jobsUser) return placeFolder(own, name, spec, null);
    if (jobsUser.kind === 'one') return placeFolder(own, name, spec, jobsUser);
    const uid = freeUid(name, jobsUser.first, jobsUser.last);
    reserved.add(uid);
    await placeFolder(own, name, spec, { uid, gid: uid }).finally(() => reserved.delete(uid));
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
    return { path, machineId: `${name}-${spec.id}`, spec, isShared: folder === root, user, ownUid };
  }

  function namesIn(folder: string): string[] {
    return readdirSync(folder).filter((name) => NAME.test(name));
  }

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
      const found = read(name);
      if (found) return found;
      const shared = read(name, root);
      return shared?.spec.specHash === run.specHash ? shared : null;
    },
    ofMachine: (machineId) => {
      const [, name = '', id] = MACHINE_ID.exec(machineId) ?? [];
      const found = name ? [read(name), read(name, root)] : [];
      return found.find((folder) => folder?.spec.id === id) ?? null;
    },
    all: () =>
      [...namesIn(own).map((name) => read(name)), ...namesIn(root).map((name) => read(name, root))].filter(
        (folder) => folder !== null,
      ),
    remove: async ({ path, spec }) => {
      const hidden = join(dirname(path), `${UNFINISHED}${spec.id}`);
      try {
        await rename(path, hidden);
      } catch (error) {
        // Another process is removing it too, or died while doing so.
        if (codeOf(error) !== 'ENOENT') throw error;
      }
      await rm(hidden, { recursive: true, force: true, maxRetries: 3 });
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
    await rm(draft, { recursive: true, force: true });
    if (!['ENOTEMPTY', 'EEXIST'].includes(codeOf(error))) throw error;
  }
}

function userOfWork(path: string): ProcessUser {
  const { uid, gid } = statSync(join(path, WORK_FOLDER));
  return { uid, gid };
}

/** Returns null if it has no such folder. */
function ownerOfWork(path: string): number | null {
  return statSync(join(path, WORK_FOLDER), { throwIfNoEntry: false })?.uid ?? null;
}

function sweepUnfinished(root: string): void {
  for (const name of readdirSync(root).filter((name) => name.startsWith(UNFINISHED))) {
    const path = join(root, name);
    try {
      if (Date.now() - statSync(path).ctimeMs > LEFT_BEHIND_MS)
        rmSync(path, { recursive: true, force: true });
    } catch {
      // Another server was faster, or owns the folder. Neither is a reason to do without jobs.
    }
  }
}

/** Hashes the ids of a run: used as names, they could be too long or lead out of the folder. */
function nameOf({ workspaceId, runId }: Pick<RunOfJob, 'workspaceId' | 'runId'>): string {
  return createHash('sha256')
    .update(JSON.stringify([workspaceId, runId]))
    .digest('hex')
    .slice(0, 32);
}
