import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fixedPort } from './ports.ts';
import { releaseAfterwards } from './releases.ts';

/** A private Redis server that the test can stop and start. */
export interface PrivateRedis {
  /** The server's URL. It never changes. */
  readonly url: string;
  /** Stops the server and breaks its clients' connections. Resolves when it is down. */
  stop(): Promise<void>;
  /** Starts the server without its previous data. Resolves when it accepts connections. */
  start(): Promise<void>;
}

const PROGRAM = 'redis-server';

/** Returns true if `redis-server` is in the PATH. */
export function hasRedis(): boolean {
  return (process.env.PATH ?? '').split(':').some((folder) => existsSync(join(folder, PROGRAM)));
}

/** Starts a Redis server without persistence, on a free port of 127.0.0.1, for the duration of the test. */
export async function privateRedis(): Promise<PrivateRedis> {
  const port = String(await fixedPort());
  const start = async () => {
    const child = spawn(
      PROGRAM,
      ['--port', port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    const exit = once(child, 'exit').then(() => null);
    child.stdout.setEncoding('utf8');
    let printed = '';
    while (!printed.includes('Ready to accept connections')) {
      const data = await Promise.race([once(child.stdout, 'data'), exit]);
      if (!data) throw new Error(`${PROGRAM} exited before it was ready: ${printed}`);
      printed += String(data[0]);
    }
    child.stdout.resume();
    return { child, exit };
  };
  let server = await start();
  const stop = async () => {
    server.child.kill('SIGKILL');
    await server.exit;
  };
  releaseAfterwards(stop);
  return {
    url: `redis://127.0.0.1:${port}`,
    stop,
    start: async () => {
      server = await start();
    },
  };
}
