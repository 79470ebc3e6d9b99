import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BUILT = `${ROOT}dist/cli/main.js`;

/** A child process of the benchmark. */
export interface Child {
  readonly process: ChildProcess;
  stop(): Promise<void>;
}

/** Starts the built server. */
export function startBuilt(args: readonly string[], env: Readonly<Record<string, string>>): Child {
  return start([BUILT, ...args], env, 'output');
}

/** Starts a program in this folder that prints its URL. */
export function startProgram(name: string, env: Readonly<Record<string, string>>): Child {
  return start(['--import', 'tsx', pathOf(name)], env, 'output');
}

/** Starts a program in this folder that communicates over an IPC channel. */
export function startPartner(name: string, env: Readonly<Record<string, string>>): Child {
  return start(['--import', 'tsx', pathOf(name)], env, 'channel');
}

/** Starts a program with an IPC channel that can trigger garbage collection. */
export function startCollected(name: string): Child {
  return start(['--expose-gc', '--import', 'tsx', pathOf(name)], {}, 'channel');
}

/** Starts the built server so that it reports its commits and their times over an IPC channel. */
export function startCommitProbed(env: Readonly<Record<string, string>>): Child {
  return start(['--import', 'tsx', pathOf('commit-probe.ts'), BUILT, 'serve'], env, 'output and channel');
}

/**
 * Starts the built server, or a program in this folder, so that it reports its memory over an IPC channel.
 */
export function startProbed(
  program: 'built server' | 'broadcast-server.ts',
  env: Readonly<Record<string, string>>,
): Child {
  const what = program === 'built server' ? [BUILT, 'serve'] : [pathOf(program)];
  return start(
    ['--expose-gc', '--import', 'tsx', pathOf('memory-probe.ts'), ...what],
    env,
    'output and channel',
  );
}

/** Returns the URL in the first line that a server prints. */
export async function listeningUrl({ process: child }: Child): Promise<string> {
  const { stdout } = child;
  if (!stdout) throw new Error('standard output is not piped');
  let text = '';
  const exited = once(child, 'exit').then(([code]) => {
    throw new Error(`the server exited with ${code} instead of listening`);
  });
  const listening = (async () => {
    for await (const chunk of stdout.iterator({ destroyOnReturn: false })) {
      text += String(chunk);
      const url = /listening on (\S+)\n/.exec(text)?.[1];
      if (url) return url;
    }
    throw new Error(`no URL in the server's output: ${text}`);
  })();
  return Promise.race([listening, exited]);
}

/**
 * Sends a request over the channel, or nothing if `order` is null. Resolves to the next message. One call at
 * a time.
 */
export async function ask({ process: child }: Child, order: object | null): Promise<unknown> {
  const stopWaiting = new AbortController();
  const { signal } = stopWaiting;
  const exited = once(child, 'exit', { signal }).then(([code]) => {
    throw new Error(`the program exited with ${code}`);
  });
  const answered = once(child, 'message', { signal });
  try {
    if (order !== null) child.send(order);
    const [message] = await Promise.race([answered, exited]);
    return message;
  } finally {
    exited.catch(() => {});
    answered.catch(() => {});
    stopWaiting.abort();
  }
}

function pathOf(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

const STDIO = {
  output: ['ignore', 'pipe', 'inherit'],
  // A program's own output is not part of the benchmark's output.
  channel: ['ignore', 2, 'inherit', 'ipc'],
  'output and channel': ['ignore', 'pipe', 'inherit', 'ipc'],
} as const;

function start(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  stdio: keyof typeof STDIO,
): Child {
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    env: { ...process.env, NODE_ENV: 'production', ...env },
    stdio: [...STDIO[stdio]],
  });
  const exited = once(child, 'exit');
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  return {
    process: child,
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), 5_000);
      await exited;
      clearTimeout(late);
      process.off('exit', kill);
    },
  };
}
