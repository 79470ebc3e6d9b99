import { createHash } from 'node:crypto';

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';
/** 100 bits: two never meet by chance. */
const LENGTH = 20;

/** What every machine of ours is marked with. */
export const MANAGED_BY = 'runfeed';

/** A run, as the substrate has to find it again. */
export interface RunName {
  readonly workspaceId: string;
  readonly runId: string;
}

function shortHash(...parts: readonly string[]): string {
  const digest = createHash('sha256').update(JSON.stringify(parts)).digest();
  return Array.from(digest.subarray(0, LENGTH), (byte) => BASE32[byte % 32]).join('');
}

/** A workspace's app. Names of apps are unique over all of Fly, so that the organization is part of what is hashed. */
export function appNameOf(prefix: string, org: string, workspaceId: string): string {
  return `${prefix}-${shortHash(org, workspaceId)}`;
}

/** Whether an app's name is one that {@link appNameOf} makes with this prefix. */
export function isAppName(prefix: string, name: string): boolean {
  return name.startsWith(`${prefix}-`) && /^[a-z2-7]{20}$/.test(name.slice(prefix.length + 1));
}

/** A run's machine. Ids of runs have characters and a length that names of machines may not have. */
export function machineNameOf(run: RunName): string {
  return `run-${shortHash(run.workspaceId, run.runId)}`;
}
