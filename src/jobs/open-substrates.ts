import { hostname } from 'node:os';
import type { JobsUser } from '../config/jobs-user.ts';
import type { RunnerConfig, RunnersConfig } from '../config/runners.ts';
import { PROVIDER_RUNTIME_KINDS, type ProviderRuntimeKind } from '../contract/jobs.ts';
import type { JobLog } from './reconciler.ts';
import type { Substrate } from './substrate.ts';

/** What a substrate is opened with. */
export interface SubstrateSetup {
  /** The runners that run on it. */
  readonly runners: readonly RunnerConfig[];
  /** What the configuration has under its name; to be checked by the substrate itself. */
  readonly config: unknown;
  /** The server's environment. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Where it may keep what it needs on this machine; other servers may, too. */
  readonly folder: string;
  /** Names the database whose jobs it runs: what belongs to another one there is left alone. */
  readonly owner: string;
  /** Who commands run as that are started on this machine; null: the server's own user. */
  readonly jobsUser: JobsUser | null;
  readonly log: JobLog;
}

/** A substrate that is open, and what it calls its runners' images. */
export interface OpenedSubstrate {
  readonly substrate: Substrate;
  imageOf(runner: RunnerConfig): string;
}

/**
 * What the file of a substrate exports. Throws an error that says what of the configuration is wrong, and repeats no
 * value of it.
 */
export interface SubstrateModule {
  openSubstrate(setup: SubstrateSetup): Promise<OpenedSubstrate> | OpenedSubstrate;
}

/** Opens the substrates that runners are configured for. Each has the file of its name in `executors`. */
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

/** This machine, for substrates that have no name of their own for it. */
export function thisHost(substrates: Iterable<OpenedSubstrate>): string {
  for (const { substrate } of substrates) if (substrate.host !== null) return substrate.host;
  return hostname();
}
