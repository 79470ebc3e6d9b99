import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { codeOf } from '../../../lib/error-line.ts';
import { type JobFile, readJobFile, storeJobFile, WORK_FOLDER } from './files.ts';

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
}

/** A folder half made or half removed that is older belongs to a process that died over it. */
const LEFT_BEHIND_MS = 10 * 60_000;

const UNFINISHED = '.unfinished-';
const NAME = /^[0-9a-f]{32}$/;
const MACHINE_ID = /^([0-9a-f]{32})-([0-9a-f]{16})$/;

/**
 * Opens the folder in which servers keep their jobs, made when there is none, readable for its owner alone. The jobs of
 * one owner are in a folder of their own within it; what older versions left next to that is found too, for a run
 * only by its spec's hash, which no other server can make.
 */
export function openJobFolders(root: string, owner: string): JobFolders {
  const own = join(root, ownerFolder(owner));
  mkdirSync(own, { recursive: true, mode: 0o700 });
  for (const folder of [own, root]) sweepUnfinished(folder);

  function read(name: string, folder: string = own): JobFolder | null {
    const path = join(folder, name);
    const spec = readJobFile(path, 'spec.json');
    return spec && { path, machineId: `${name}-${spec.id}`, spec, isShared: folder === root };
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
      await placeFolder(own, name, spec);
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
async function placeFolder(root: string, name: string, spec: JobFile<'spec.json'>): Promise<void> {
  const draft = await mkdtemp(join(root, UNFINISHED));
  try {
    await mkdir(join(draft, WORK_FOLDER), { mode: 0o700 });
    await storeJobFile(draft, 'spec.json', spec);
    await rename(draft, join(root, name));
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    if (!['ENOTEMPTY', 'EEXIST'].includes(codeOf(error))) throw error;
  }
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
