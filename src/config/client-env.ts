import { DEFAULT_DATABASE_URL, defaultAdminTokenFile } from './data-folder.ts';

/** The environment of commands that talk to a server. An empty variable counts as absent. */
export interface ClientEnvironment {
  /** The server's URL, from RUNFEED_URL. */
  readonly url: string | null;
  /** The token to send, from RUNFEED_TOKEN. */
  readonly token: string | null;
  /** The file in which a server with this environment keeps the operator's token. */
  readonly adminTokenFile: string;
  /** True if NO_COLOR is set. */
  readonly noColor: boolean;
}

/** Reads the environment of a command. Defaults to this process's environment. */
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
