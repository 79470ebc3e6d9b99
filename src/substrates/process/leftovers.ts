import type { JobFolder } from '../job-folders/folders.ts';
import type { JobLog } from '../substrate.ts';

/** Warns of ended jobs that may have left processes. */
export interface Leftovers {
  /** Logs one line about a job until `forget`. */
  tell(folder: JobFolder): void;
  forget(machineId: string): void;
}

/** Creates the warnings. */
export function createLeftovers(log: JobLog): Leftovers {
  const told = new Set<string>();
  return {
    tell: ({ machineId, spec, ownUid }) => {
      if (told.has(machineId)) return;
      told.add(machineId);
      log.warn({ runId: spec.runId, machineId }, ownUid() === null ? UNCLEAR : ALIVE);
    },
    forget: (machineId) => {
      told.delete(machineId);
    },
  };
}

const UNCLEAR =
  'the job has ended, but it is unclear whether all of its processes have: some come and go faster than they can be found. Set JOBS_USER to a range, so that each job has its own user, all of whose processes are killed at once';

const ALIVE =
  'the job has ended, but some of its processes could not be killed: end the processes of its user by hand';
