import { hostname } from 'node:os';
import type { JobsUser } from '../config/jobs-user.ts';
import type { RunnerConfig, RunnersConfig } from '../config/runners.ts';
import { PROVIDER_RUNTIME_KINDS, type ProviderRuntimeKind } from '../contract/jobs.ts';
import type { JobLog } from '../jobs/reconcile/reconciler.ts';
import type { Store } from '../store/store.ts';
import type { Substrate } from './substrate.ts';

/** What identifies a database and tells it from its copies. */
export type JobsOwner = Pick<Store, 'id' | 'copy' | 'file'>;

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
 * What the file of a substrate exports. Throws an error that says what is wrong with the configuration
 * without repeating any of its values.
 */
export interface SubstrateModule {
  openSubstrate(setup: SubstrateSetup): Promise<OpenedSubstrate> | OpenedSubstrate;
}

/** Opens the substrates that have configured runners. Each has the file of its name in `executors`. */
export async function openSubstrates(
  { runners, substrates }: RunnersConfig,
  setup: Pick<SubstrateSetup, 'environment' | 'folder' | 'owner' | 'jobsUser' | 'log'>,
): Promise<ReadonlyMap<ProviderRuntimeKind, OpenedSubstrate>> {
  const opened = new Map<ProviderRuntimeKind, OpenedSubstrate>();
  for (const kind of PROVIDER_RUNTIME_KINDS) {
    const own = runners.filter((runner) => runner.substrate === kind);
    if (own.length === 0) continue;
    const { openSubstrate } = (await import(`./executors/${kind}.ts`)) as SubstrateModule;
    opened.set(kind, await openSubstrate({ runners: own, config: substrates[kind] ?? {}, ...setup }));
  }
  return opened;
}

/** Returns the name that a substrate has for this machine, or the host name if none has one. */
export function thisHost(substrates: Iterable<OpenedSubstrate>): string {
  for (const { substrate } of substrates) if (substrate.host !== null) return substrate.host;
  return hostname();
}
