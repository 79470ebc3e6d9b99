import type { JobsUser } from '../../config/jobs-user.ts';
import type { UidRegistry } from '../job-folders/uids.ts';
import type { JobLog } from '../substrate.ts';

/** What `createProcessSubstrate` needs. */
export interface ProcessSubstrateOptions {
  /** Holds a folder for each job; created if missing. On a local disk, and for one machine only. */
  readonly folder: string;
  /** The owner of these jobs, as in `SubstrateSetup`: servers with other owners may use the same folder. */
  readonly owner: string;
  /** Command lines by the image that stands for them; see `processImage`. */
  readonly commands: ReadonlyMap<string, readonly string[]>;
  /** Names this machine. Defaults to host name and machine id. To be set in containers, where both change. */
  readonly hostId?: string;
  /** The server's environment. A command gets PATH, HOME and the like of it, otherwise only its spec's. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** The user that commands run as. Defaults to the server's own. Another one needs a server run as root. */
  readonly user?: JobsUser | null;
  /** The uids in use on this machine. Needed if each job has its own user. */
  readonly uids?: UidRegistry | null;
  /** Receives what went wrong without failing a call. Defaults to nothing. */
  readonly log?: JobLog;
}

/** Limits of a process substrate, in milliseconds and bytes. */
export interface ProcessSubstrateLimits {
  readonly pollMs: number;
  /** A job's shim must be ready within this time. */
  readonly startMs: number;
  /** Between SIGTERM and SIGKILL, for a stop without `graceMs` and for a run at its maximum duration. */
  readonly graceMs: number;
  /** How long a kill is left to the shim. */
  readonly shimMs: number;
  /** Size of each of the two halves of a job's log. */
  readonly logBytes: number;
  readonly tailBytes: number;
}

/** The default limits. */
export const PROCESS_SUBSTRATE_LIMITS: ProcessSubstrateLimits = {
  pollMs: 1_000,
  startMs: 10_000,
  graceMs: 10_000,
  shimMs: 1_000,
  logBytes: 8 * 1024 * 1024,
  tailBytes: 256 * 1024,
};

/** The variables that programs need to work, and no more: any other may be the server’s secret. */
const PASSED_ON = ['PATH', 'HOME', 'USER', 'SHELL', 'LANG', 'LC_ALL', 'LC_CTYPE', 'TZ', 'TMPDIR'];

/** Returns the part of a server’s environment that commands and shims get. */
export function passedOn(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    PASSED_ON.flatMap((name) => {
      const value = environment[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
