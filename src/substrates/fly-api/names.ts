import { createHash } from 'node:crypto';

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';
/** 100 bits: no two collide by chance. */
const LENGTH = 20;

/** The mark of every machine that runfeed creates. */
export const MANAGED_BY = 'runfeed';

/** The ids by which the substrate finds a run again. */
export interface RunName {
  readonly workspaceId: string;
  readonly runId: string;
}

function shortHash(...parts: readonly string[]): string {
  const digest = createHash('sha256').update(JSON.stringify(parts)).digest();
  return Array.from(digest.subarray(0, LENGTH), (byte) => BASE32[byte % 32]).join('');
}

/**
 * Returns the name of a workspace's app. The hash includes the organization, since app names are unique
 * across all of Fly.
 */
export function appNameOf(prefix: string, org: string, workspaceId: string): string {
  return `${prefix}-${shortHash(org, workspaceId)}`;
}

/** Returns true if an app's name is one that {@link appNameOf} makes with this prefix. */
export function isAppName(prefix: string, name: string): boolean {
  return name.startsWith(`${prefix}-`) && /^[a-z2-7]{20}$/.test(name.slice(prefix.length + 1));
}

/**
 * Returns the name of a run's machine: a hash, because run ids may be too long or have characters that
 * machine names may not have.
 */
export function machineNameOf(run: RunName): string {
  return `run-${shortHash(run.workspaceId, run.runId)}`;
}
