import type { ProcessUser } from '../job-folders/user.ts';

/**
 * What the server sends the shim over its standard input. Never on disk and not in the shim's own
 * environment: it holds the job's secrets, and a `NODE_OPTIONS` in it is meant for the command.
 */
export interface Order {
  readonly machineId: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /**
   * The user that the command runs as. Null means the server's own user, as which the shim always runs: a job
   * can neither end nor forge it.
   */
  readonly user: ProcessUser | null;
  /** True if no other job runs as that user. */
  readonly isOwnUser: boolean;
  /** Counted from the moment the command runs. */
  readonly maxRunDurationMs: number;
  /** Between SIGTERM and SIGKILL after that duration. */
  readonly deadlineGraceMs: number;
  /** Size of each half of the log. */
  readonly logBytes: number;
}
