import { LINK_TIMING, type LinkTiming } from './keeper.ts';
import type { OpenLink } from './link.ts';
import { createLocalPlane } from './local.ts';
import type { PlaneLog, ServerPlane } from './plane.ts';
import { openRemotePlane } from './remote.ts';

/** What decides how wakes are carried. */
export interface PlaneConfig {
  readonly databaseUrl: string;
  /** Carries them over Redis instead of Postgres. */
  readonly redisUrl: string | null;
}

/**
 * Opens the plane that fits: within the process for SQLite, which has only one; else over Redis where there is a URL
 * of one, and over the Postgres database itself where there is none. A plane that cannot be reached is no error: it
 * says so to the log and goes on trying.
 */
export async function openPlane(
  { databaseUrl, redisUrl }: PlaneConfig,
  log: PlaneLog,
  timing: LinkTiming = LINK_TIMING,
): Promise<ServerPlane> {
  if (databaseUrl.startsWith('file:')) {
    return { ...createLocalPlane(), onGap: () => () => {}, dropped: () => 0, close: async () => {} };
  }
  return openRemotePlane(await linkOver({ databaseUrl, redisUrl }), log, timing);
}

/** Imports the client of one of the two only: each takes some 50 ms of the start. */
async function linkOver({ databaseUrl, redisUrl }: PlaneConfig): Promise<OpenLink> {
  if (redisUrl === null) return (await import('./postgres.ts')).postgresLink(databaseUrl);
  return (await import('./redis.ts')).redisLink(redisUrl, new URL(databaseUrl).pathname);
}
