import type { JobsUser } from '../config/jobs-user.ts';
import type { RunnerConfig } from '../config/runners.ts';
import type { Store } from '../store/store.ts';
import type { JobLog, Substrate } from './substrate.ts';

/** What identifies a database. On SQLite, its file tells it from its copies. */
export type JobsOwner = Pick<Store, 'id' | 'file'>;

/** What a substrate is opened with. */
export interface SubstrateSetup {
  /** The runners that use the substrate. */
  readonly runners: readonly RunnerConfig[];
  /** The configuration under the substrate's name. The substrate itself must validate it. */
  readonly config: unknown;
  /** The server's environment. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** A folder on this machine for the substrate's files. Other servers may use it, too. */
  readonly folder: string;
  /** The database whose jobs the substrate runs. Jobs of other databases are left alone. */
  readonly owner: JobsOwner;
  /** The user that commands on this machine run as. Null means the server's own user. */
  readonly jobsUser: JobsUser | null;
  readonly log: JobLog;
}

/** An open substrate, and the names that it gives its runners' images. */
export interface OpenedSubstrate {
  readonly substrate: Substrate;
  imageOf(runner: RunnerConfig): string;
}

/**
 * Opens a substrate. Throws an error that says what is wrong with the configuration without repeating any of
 * its values.
 */
export type OpenSubstrate = (setup: SubstrateSetup) => Promise<OpenedSubstrate> | OpenedSubstrate;
