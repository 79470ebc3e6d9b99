import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { releaseAfterwards } from '../support/releases.ts';

/** A server's memory in bytes, after garbage collection. */
export interface Memory {
  readonly rss: number;
  readonly heapUsed: number;
  /** Memory of buffers. */
  readonly external: number;
}

/** A server in a separate process that reports its memory. */
export interface WatchedServer {
  readonly graphql: string;
  memory(): Promise<Memory>;
}

/** Starts a server on this database. It is killed after the test. */
export async function startWatchedServer(databaseUrl: string): Promise<WatchedServer> {
  const program = fileURLToPath(new URL('children/serve-watched.ts', import.meta.url));
  const child = spawn(process.execPath, ['--expose-gc', '--import', 'tsx', program, databaseUrl], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  releaseAfterwards(() => child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async (): Promise<string> => {
    const { done, value } = await lines.next();
    if (done) throw new Error('the server has exited');
    return value;
  };
  return {
    graphql: await line(),
    memory: async () => {
      child.stdin.write('\n');
      return JSON.parse(await line()) as Memory;
    },
  };
}
