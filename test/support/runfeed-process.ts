import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { freshSqliteUrl } from './databases.ts';
import { releaseAfterwards } from './releases.ts';

/** The folder of the package. */
export const PACKAGE_FOLDER = fileURLToPath(new URL('../..', import.meta.url));

const PROGRAM = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** How a process ended, and everything that it printed. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The built `runfeed` as a separate process. */
export interface RunfeedProcess {
  readonly pid: number;
  readonly stdin: Writable;
  /** Resolves to the match once standard output matches. Rejects if the process ends first. */
  printed(pattern: RegExp): Promise<RegExpExecArray>;
  /** Like `printed`, for standard error. */
  told(pattern: RegExp): Promise<RegExpExecArray>;
  kill(signal: NodeJS.Signals): void;
  /** Stops reading its output, like `head` does. */
  hangUp(): void;
  /** Resolves when the process has ended and all its output is read. */
  readonly exit: Promise<Exit>;
}

/**
 * Starts `runfeed` with these arguments and only PATH and the given variables in its environment, as another
 * user if a `uid` is given. If it is still running after the test, it is killed.
 */
export function startRunfeed(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  uid?: number,
): RunfeedProcess {
  return follow(
    spawn(process.execPath, [PROGRAM, ...args], {
      ...(uid === undefined ? {} : { uid, gid: uid }),
      env: { PATH: process.env.PATH, ...env },
      stdio: 'pipe',
    }),
  );
}

/** Starts `runfeed` with a redirection of a shell, such as `2>/dev/full`, after other commands of the shell. */
export function startRedirected(
  redirection: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  before = ':',
): RunfeedProcess {
  const script = `${before}; exec "$0" "$@" ${redirection}`;
  return follow(
    spawn('/bin/sh', ['-c', script, process.execPath, PROGRAM, ...args], {
      env: { PATH: process.env.PATH, ...env },
      stdio: 'pipe',
    }),
  );
}

function follow(child: ChildProcessWithoutNullStreams): RunfeedProcess {
  const output = readOutput(child);
  const exit = once(child, 'close').then(
    ([code, signal]): Exit => ({ code, signal, stdout: output.stdout(), stderr: output.stderr() }),
  );
  // The process may end before it has read all its input.
  child.stdin.on('error', () => {});
  releaseAfterwards(async () => {
    child.kill('SIGKILL');
    await exit;
  });
  const matches = async (pattern: RegExp, stream: 'stdout' | 'stderr'): Promise<RegExpExecArray> => {
    for (;;) {
      const match = pattern.exec(output[stream]());
      if (match) return match;
      const more = once(child[stream], 'data').then(() => null);
      const ended = await Promise.race([more, exit]);
      if (ended && !pattern.test(ended[stream])) {
        throw new Error(
          `runfeed exited with ${ended.code ?? ended.signal} before it printed that: ${ended.stderr}`,
        );
      }
    }
  };
  return {
    pid: child.pid!,
    stdin: child.stdin,
    printed: (pattern) => matches(pattern, 'stdout'),
    told: (pattern) => matches(pattern, 'stderr'),
    kill: (signal) => void child.kill(signal),
    hangUp: () => void child.stdout.destroy(),
    exit,
  };
}

/** Runs `runfeed` until it exits, with closed input. */
export function runRunfeed(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Exit> {
  const child = startRunfeed(args, env);
  child.stdin.end();
  return child.exit;
}

/** A listening `runfeed serve`. */
export interface ServeProcess extends RunfeedProcess {
  readonly url: string;
  readonly databaseUrl: string;
  /** The URL of its `/graphql`. */
  readonly graphql: string;
}

/** Starts `runfeed serve`, by default on a free port and a new SQLite file, and waits until it listens. */
export async function startServe(
  env: Readonly<Record<string, string>> = {},
  uid?: number,
): Promise<ServeProcess> {
  const DATABASE_URL = env.DATABASE_URL ?? (await freshSqliteUrl());
  const server = startRunfeed(['serve'], { PORT: '0', LOG_LEVEL: 'warn', ...env, DATABASE_URL }, uid);
  const [, url = ''] = await server.printed(/listening on (\S+)/);
  return { ...server, url, databaseUrl: DATABASE_URL, graphql: `${url}/graphql` };
}

function readOutput(child: ChildProcessWithoutNullStreams): { stdout(): string; stderr(): string } {
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return { stdout: () => stdout, stderr: () => stderr };
}
