import { fixedPort } from '../support/ports.ts';
import { type ServeProcess, startServe } from '../support/runfeed-process.ts';

/** A server process that can be killed and restarted at the same address. */
export interface RestartableServer {
  /** The URL of its `/graphql`. It never changes. */
  readonly graphql: string;
  /** Sends SIGKILL. Resolves when the process is gone. */
  kill(): Promise<void>;
  /** Starts the server. Resolves when it listens. */
  start(): Promise<void>;
}

/** Starts a server on this database, optionally with further environment variables. */
export async function startRestartableServer(
  databaseUrl: string,
  env: Readonly<Record<string, string>> = {},
): Promise<RestartableServer> {
  const port = await fixedPort();
  const start = (): Promise<ServeProcess> =>
    startServe({
      DATABASE_URL: databaseUrl,
      PORT: String(port),
      // With a PUBLIC_URL, requests need a token.
      ...(env.ADMIN_TOKEN_FILE && { PUBLIC_URL: `http://127.0.0.1:${port}` }),
      ...env,
    });
  let server = await start();
  return {
    graphql: server.graphql,
    kill: async () => {
      server.kill('SIGKILL');
      await server.exit;
    },
    start: async () => {
      server = await start();
    },
  };
}
