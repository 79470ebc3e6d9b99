import { LINK_TIMING, type LinkTiming } from './keeper.ts';
import type { OpenLink } from './link.ts';
import { createLocalPlane } from './local.ts';
import type { PlaneLog, ServerPlane } from './plane.ts';
import { openRemotePlane } from './remote.ts';

/** The settings that decide how wakes are carried. */
export interface PlaneConfig {
  readonly databaseUrl: string;
  /** If set, wakes are carried over Redis instead of Postgres. */
  readonly redisUrl: string | null;
}

/**
 * Opens the plane that fits the configuration: within the process for SQLite, which has only one process;
 * otherwise over Redis if it has a URL, or over the Postgres database. An unreachable plane is not an error:
 * it logs a warning and keeps reconnecting.
 */
export async function openPlane(
  { databaseUrl, redisUrl }: PlaneConfig,
  log: PlaneLog,
  timing: LinkTiming = LINK_TIMING,
): Promise<ServerPlane> {
  if (databaseUrl.startsWith('file:')) {
    const local = createLocalPlane();
    return {
      ...local,
      isRemote: false,
      deliver: local.publish,
      onGap: () => () => {},
      dropped: () => 0,
      close: async () => {},
    };
  }
  return openRemotePlane(await linkOver({ databaseUrl, redisUrl }), log, timing);
}

/** Imports only the client in use: each adds about 50 ms to the start. */
async function linkOver({ databaseUrl, redisUrl }: PlaneConfig): Promise<OpenLink> {
  if (redisUrl === null) return (await import('./postgres.ts')).postgresLink(databaseUrl);
  return (await import('./redis.ts')).redisLink(redisUrl, new URL(databaseUrl).pathname);
}
