/** What the environment says to the commands that talk to a server. An empty variable counts as absent. */
export interface ClientEnvironment {
  /** Where the server is. */
  readonly url: string | null;
  /** Who is asking. */
  readonly token: string | null;
  /** The user wants no colours anywhere. */
  readonly noColor: boolean;
}

/** Reads it, by default from this process's environment. */
export function readClientEnvironment(
  env: Readonly<Record<string, string | undefined>> = process.env,
): ClientEnvironment {
  return { url: env.RUNFEED_URL || null, token: env.RUNFEED_TOKEN || null, noColor: Boolean(env.NO_COLOR) };
}
