import type { JobsUser } from '../../../config/jobs-user.ts';

/** What a substrate of processes needs. */
export interface ProcessSubstrateOptions {
  /** Holds a folder for each job; made when there is none. On a local disk, and for one machine alone. */
  readonly folder: string;
  /** Whose jobs these are, as `SubstrateSetup` has it: servers with other owners may use the same folder. */
  readonly owner: string;
  /** Command lines by the image that stands for them; see `processImage`. */
  readonly commands: ReadonlyMap<string, readonly string[]>;
  /** Names this machine; by default its host name and its machine id. In containers, where both change, to be set. */
  readonly hostId?: string;
  /** The server's environment. A command gets PATH, HOME and the like of it, and besides only its spec's. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Who commands run as; null or absent: the server's own user. Another one needs a server that runs as root. */
  readonly user?: JobsUser | null;
}

/** Bounds of a substrate of processes, in milliseconds and bytes. */
export interface ProcessSubstrateLimits {
  readonly pollMs: number;
  /** A job's shim has to have begun after so long. */
  readonly startMs: number;
  /** Between SIGTERM and SIGKILL, for a stop that does not say and for a run whose longest time is over. */
  readonly graceMs: number;
  /** A kill is left to the shim for so long. */
  readonly shimMs: number;
  /** Of each of the two halves of a job's log. */
  readonly logBytes: number;
  readonly tailBytes: number;
}

/** What holds where nobody says otherwise. */
export const PROCESS_SUBSTRATE_LIMITS: ProcessSubstrateLimits = {
  pollMs: 1_000,
  startMs: 10_000,
  graceMs: 10_000,
  shimMs: 1_000,
  logBytes: 8 * 1024 * 1024,
  tailBytes: 256 * 1024,
};

/** What a program needs of its surroundings to be one, and no more: anything else may be the server’s secret. */
const PASSED_ON = ['PATH', 'HOME', 'USER', 'SHELL', 'LANG', 'LC_ALL', 'LC_CTYPE', 'TZ', 'TMPDIR'];

/** The part of a server’s environment that commands and shims get. */
export function passedOn(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    PASSED_ON.flatMap((name) => {
      const value = environment[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
