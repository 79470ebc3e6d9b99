import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { releaseAfterwards } from '../support/releases.ts';

/** A server's memory in bytes, after a collection of what is garbage. */
export interface Memory {
  readonly rss: number;
  readonly heapUsed: number;
  /** Of buffers. */
  readonly external: number;
}

/** A server in a process of its own whose memory can be read. */
export interface WatchedServer {
  readonly graphql: string;
  memory(): Promise<Memory>;
}

/** Starts one on this database; it is killed when the test has finished. */
export async function startWatchedServer(databaseUrl: string): Promise<WatchedServer> {
  const program = fileURLToPath(new URL('children/serve-watched.ts', import.meta.url));
  const child = spawn(process.execPath, ['--expose-gc', '--import', 'tsx', program, databaseUrl], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  releaseAfterwards(() => child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async (): Promise<string> => {
    const { done, value } = await lines.next();
    if (done) throw new Error('the server ended');
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
