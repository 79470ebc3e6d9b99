import type { ProcessUser } from './user.ts';

/**
 * What the server tells the shim over its standard input. Never on disk and not in the shim's own environment: it holds
 * the job's secrets, and `NODE_OPTIONS` is meant for the command.
 */
export interface Order {
  readonly machineId: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Who the command runs as; null: the server's own user. The shim stays the server's: a job can neither end nor forge it. */
  readonly user: ProcessUser | null;
  /** Whether no other job runs as that user. */
  readonly isOwnUser: boolean;
  /** From the moment the command runs. */
  readonly maxRunDurationMs: number;
  /** Between SIGTERM and SIGKILL once that is over. */
  readonly deadlineGraceMs: number;
  /** Of each half of the log. */
  readonly logBytes: number;
}
