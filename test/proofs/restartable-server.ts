import { createServer } from 'node:net';
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

/** Starts a server on this database. */
export async function startRestartableServer(databaseUrl: string): Promise<RestartableServer> {
  const port = await fixedPort();
  const start = (): Promise<ServeProcess> => startServe({ DATABASE_URL: databaseUrl, PORT: String(port) });
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

/**
 * A free port below those that the system gives to clients: of those, one of the clients that keep trying to
 * reconnect could be given the server's own while that is down.
 */
async function fixedPort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
      .once('error', () => resolve(false))
      .listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
