import { DEFAULT_DATABASE_URL, defaultAdminTokenFile } from './data-folder.ts';

/** What the environment says to the commands that talk to a server. An empty variable counts as absent. */
export interface ClientEnvironment {
  /** Where the server is. */
  readonly url: string | null;
  /** Who is asking. */
  readonly token: string | null;
  /** Where a server of this environment keeps the operator's token. */
  readonly adminTokenFile: string;
  /** The user wants no colours anywhere. */
  readonly noColor: boolean;
}

/** Reads it, by default from this process's environment. */
export function readClientEnvironment(
  env: Readonly<Record<string, string | undefined>> = process.env,
): ClientEnvironment {
  return {
    url: env.RUNFEED_URL || null,
    token: env.RUNFEED_TOKEN || null,
    adminTokenFile: env.ADMIN_TOKEN_FILE || defaultAdminTokenFile(env.DATABASE_URL || DEFAULT_DATABASE_URL),
    noColor: Boolean(env.NO_COLOR),
  };
}
