import { fixedPort } from '../support/ports.ts';
import { type ServeProcess, startServe } from '../support/runfeed-process.ts';

/** A server process that is killed and started again at the same address. */
export interface RestartableServer {
  /** Its `/graphql`, the same for ever. */
  readonly graphql: string;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** Resolves when it listens again. */
  start(): Promise<void>;
}

/** Starts a server on this database, with more in its environment where that is given. */
export async function startRestartableServer(
  databaseUrl: string,
  env: Readonly<Record<string, string>> = {},
): Promise<RestartableServer> {
  const port = await fixedPort();
  const start = (): Promise<ServeProcess> =>
    startServe({
      DATABASE_URL: databaseUrl,
      PORT: String(port),
      // With one, requests need a token.
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
