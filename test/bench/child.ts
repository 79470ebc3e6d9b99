import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A process of the bench's own. */
export interface Child {
  readonly process: ChildProcess;
  stop(): Promise<void>;
}

/** Starts the built server. */
export function startBuilt(args: readonly string[], env: Readonly<Record<string, string>>): Child {
  return start(['dist/cli/main.js', ...args], env, false);
}

/** Starts a program of this folder; one that is talked to gets a channel. */
export function startProgram(
  name: string,
  env: Readonly<Record<string, string>>,
  { channel = false }: { readonly channel?: boolean } = {},
): Child {
  return start(['--import', 'tsx', fileURLToPath(new URL(name, import.meta.url))], env, channel);
}

/** The URL in the first line that a server prints. */
export async function listeningUrl({ process: child }: Child): Promise<string> {
  const { stdout } = child;
  if (!stdout) throw new Error('standard output is not piped');
  let text = '';
  const exited = once(child, 'exit').then(([code]) => {
    throw new Error(`a server ended with ${code} instead of listening`);
  });
  const listening = (async () => {
    for await (const chunk of stdout.iterator({ destroyOnReturn: false })) {
      text += String(chunk);
      const url = /listening on (\S+)\n/.exec(text)?.[1];
      if (url) return url;
    }
    throw new Error(`no server in: ${text}`);
  })();
  return Promise.race([listening, exited]);
}

function start(args: readonly string[], env: Readonly<Record<string, string>>, channel: boolean): Child {
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    env: { ...process.env, NODE_ENV: 'production', ...env },
    stdio: channel ? ['ignore', 'inherit', 'inherit', 'ipc'] : ['ignore', 'pipe', 'inherit'],
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
