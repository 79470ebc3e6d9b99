import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, type JobFile, readJobFile, storeJobFile, WORK_FOLDER } from './files.ts';

/** The folders of all jobs on a machine. */
export interface JobFolders {
  /** The folder of a run's job, made with this content unless it is there. */
  make(spec: Omit<JobFile<'spec.json'>, 'id' | 'createdAt'>): Promise<JobFolder>;
  ofRun(workspaceId: string, runId: string): JobFolder | null;
  ofMachine(machineId: string): JobFolder | null;
  all(): readonly JobFolder[];
  /** Takes a folder out of the others' sight, then deletes it. */
  remove(folder: JobFolder): Promise<void>;
}

/** One job's folder as it is on the disk. */
export interface JobFolder {
  readonly path: string;
  /** Names this very folder, not one made later for the same run. */
  readonly machineId: string;
  readonly spec: JobFile<'spec.json'>;
}

/** A folder half made or half removed that is older belongs to a process that died over it. */
const LEFT_BEHIND_MS = 10 * 60_000;

const UNFINISHED = '.unfinished-';
const NAME = /^[0-9a-f]{32}$/;
const MACHINE_ID = /^([0-9a-f]{32})-([0-9a-f]{16})$/;

/** Opens the folder that holds the jobs' folders, made when it is not there, readable for its owner alone. */
export function openJobFolders(root: string): JobFolders {
  mkdirSync(root, { recursive: true, mode: 0o700 });
  sweepUnfinished(root);

  function read(name: string): JobFolder | null {
    const path = join(root, name);
    const spec = readJobFile(path, 'spec.json');
    return spec && { path, machineId: `${name}-${spec.id}`, spec };
  }

  return {
    make: async (content) => {
      const name = nameOf(content.workspaceId, content.runId);
      const there = read(name);
      if (there) return there;
      const spec = { ...content, id: randomBytes(8).toString('hex'), createdAt: Date.now() };
      await placeFolder(root, name, spec);
      const made = read(name);
      if (!made) throw new Error('a job’s folder was removed while it was made');
      return made;
    },
    ofRun: (workspaceId, runId) => read(nameOf(workspaceId, runId)),
    ofMachine: (machineId) => {
      const [, name = '', id] = MACHINE_ID.exec(machineId) ?? [];
      const folder = name && read(name);
      return folder && folder.spec.id === id ? folder : null;
    },
    all: () =>
      readdirSync(root)
        .filter((name) => NAME.test(name))
        .map(read)
        .filter((folder) => folder !== null),
    remove: async ({ path, spec }) => {
      const hidden = join(root, `${UNFINISHED}${spec.id}`);
      try {
        await rename(path, hidden);
      } catch (error) {
        // Somebody else removes it too, or began to and died.
        if (codeOf(error) !== 'ENOENT') throw error;
      }
      await rm(hidden, { recursive: true, force: true, maxRetries: 3 });
    },
  };
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
function nameOf(workspaceId: string, runId: string): string {
  return createHash('sha256')
    .update(JSON.stringify([workspaceId, runId]))
    .digest('hex')
    .slice(0, 32);
}
