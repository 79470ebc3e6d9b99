import { hostname } from 'node:os';
import type { RunnersConfig } from '../config/runners.ts';
import { PROVIDER_RUNTIME_KINDS, type ProviderRuntimeKind } from '../contract/jobs.ts';
import type { OpenedSubstrate, OpenSubstrate, SubstrateSetup } from './setup.ts';

/** How each kind of substrate is loaded: only when a runner uses it. */
const LOAD: Readonly<Record<ProviderRuntimeKind, () => Promise<OpenSubstrate>>> = {
  process: async () => (await import('./process/substrate.ts')).openSubstrate,
  fly: async () => (await import('./fly/substrate.ts')).openSubstrate,
};

/** Opens the substrates that have configured runners. */
export async function openSubstrates(
  { runners, substrates }: RunnersConfig,
  setup: Pick<SubstrateSetup, 'environment' | 'folder' | 'owner' | 'jobsUser' | 'log'>,
): Promise<ReadonlyMap<ProviderRuntimeKind, OpenedSubstrate>> {
  const opened = new Map<ProviderRuntimeKind, OpenedSubstrate>();
  for (const kind of PROVIDER_RUNTIME_KINDS) {
    const own = runners.filter((runner) => runner.substrate === kind);
    if (own.length === 0) continue;
    const openSubstrate = await LOAD[kind]();
    opened.set(kind, await openSubstrate({ runners: own, config: substrates[kind] ?? {}, ...setup }));
  }
  return opened;
}

/** Returns the name that a substrate has for this machine, or the host name if none has one. */
export function thisHost(substrates: Iterable<OpenedSubstrate>): string {
  for (const { substrate } of substrates) if (substrate.host !== null) return substrate.host;
  return hostname();
}
