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
  /** The folder of a run's job, made with this content unless there is one. */
  make(spec: Omit<JobFile<'spec.json'>, 'id' | 'createdAt'>): Promise<JobFolder>;
  ofRun(run: RunOfJob): JobFolder | null;
  ofMachine(machineId: string): JobFolder | null;
  all(): readonly JobFolder[];
  /** Takes a folder out of the others' sight, then deletes it. */
  remove(folder: JobFolder): Promise<void>;
}

/** Whose job a folder is of. */
export type RunOfJob = Pick<JobFile<'spec.json'>, 'workspaceId' | 'runId' | 'specHash'>;

/** One job's folder as it is on the disk. */
export interface JobFolder {
  readonly path: string;
  /** Names this very folder, not one made later for the same run. */
  readonly machineId: string;
  readonly spec: JobFile<'spec.json'>;
  /** Whether it may be another server's: older versions kept the jobs of all databases in one folder. */
  readonly isShared: boolean;
  /** Who the command runs as: the owner of the folder that it starts in. */
  user(): ProcessUser;
  /** The same when no other job runs as that user, else null. */
  ownUid(): number | null;
}

/** A folder half made or half removed that is older belongs to a process that died over it. */
const LEFT_BEHIND_MS = 10 * 60_000;

const UNFINISHED = '.unfinished-';
const NAME = /^[0-9a-f]{32}$/;
const OWNER_FOLDER = /^of-[0-9a-f]{16}$/;
const MACHINE_ID = /^([0-9a-f]{32})-([0-9a-f]{16})$/;

/** Others may pass through it to their own, and see nothing of what it holds. */
const PASSABLE = 0o711;

/**
 * Opens the folder in which servers keep their jobs, made when it is missing. Its files are readable for the server's
 * user alone. The jobs of one owner are in a folder of their own within it; what older versions left next to that is
 * found too, for a run only by its spec's hash, which no other server can make. With another user for commands, the
 * folder that a command starts in is that user's.
 */
export function openJobFolders(root: string, owner: string, jobsUser: JobsUser | null = null): JobFolders {
  const own = join(root, ownerFolder(owner));
  makeFolder(own, 0o700);
  for (const folder of [own, root]) {
    if (jobsUser) chmodSync(folder, PASSABLE);
    sweepUnfinished(folder);
  }
  /** Users of jobs whose folders are being made. */
  const reserved = new Set<number>();

  function isOwn(uid: number): boolean {
    return jobsUser?.kind === 'each' && uid >= jobsUser.first && uid <= jobsUser.last;
  }

  /** Users of all jobs in the folder, other servers' too. */
  function takenUids(): ReadonlySet<number> {
    const servers = readdirSync(root).filter((entry) => OWNER_FOLDER.test(entry));
    const folders = [root, ...servers.map((name) => join(root, name))];
    const uids = folders.flatMap((folder) =>
      namesIn(folder).flatMap((name) => ownerOfWork(join(folder, name)) ?? []),
    );
    return new Set([...uids, ...reserved]);
  }

  /** A job's user is its own until its folder is removed. */
  function freeUid(name: string, first: number, last: number): number {
    const taken = takenUids();
    const size = last - first + 1;
    // Servers that share the folder begin at different numbers.
    const start = Number.parseInt(name.slice(0, 8), 16);
    for (let tries = 0; tries < Math.min(size, taken.size + 1); tries += 1) {
      const uid = first + ((start + tries) % size);
      if (!taken.has(uid)) return uid;
    }
    throw new SubstrateError({
      errorClass: 'capacity',
      message: 'every number of JOBS_USER is in use by a job of the last day',
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
      const message = 'the job was prepared for another JOBS_USER: start it as a new run';
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
      if (!made) throw new Error('a job’s folder was removed while it was made');
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
        // Another process removes it too, or began to and died.
        if (codeOf(error) !== 'ENOENT') throw error;
      }
      await rm(hidden, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

/** Where in the servers' folder one owner's jobs are. */
export function ownerFolder(owner: string): string {
  return `of-${createHash('sha256').update(owner).digest('hex').slice(0, 16)}`;
}

/** A folder appears with its content, so that nobody ever finds one half made; whoever is second keeps the first's. */
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

/** Null: it has no such folder. */
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
      // Another server was faster, or it is not ours to delete: no reason to do without jobs.
    }
  }
}

/** No name that a run can have is too long for a file system or leads out of the folder. */
function nameOf({ workspaceId, runId }: Pick<RunOfJob, 'workspaceId' | 'runId'>): string {
  return createHash('sha256')
    .update(JSON.stringify([workspaceId, runId]))
    .digest('hex')
    .slice(0, 32);
}
