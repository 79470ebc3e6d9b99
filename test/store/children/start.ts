import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { releaseAfterwards } from '../../support/releases.ts';

/** A program of this folder that runs in a separate process. */
export interface Child {
  /** The lines that it has printed so far. Grows until it ends. */
  readonly lines: readonly string[];
  /** Resolves once it has printed `count` lines. Rejects if it ends before that. */
  printed(count: number): Promise<void>;
  /** Kills it (SIGKILL). Resolves when it has ended and all of its output is read. */
  kill(): Promise<void>;
}

/** Starts a program of this folder. It is killed after the test if it still runs. */
export function startChild(program: string, ...args: string[]): Child {
  const script = fileURLToPath(new URL(program, import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', script, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  const reader = createInterface({ input: child.stdout }).on('line', (line) => void lines.push(line));
  const ended = once(reader, 'close');
  const kill = async () => {
    child.kill('SIGKILL');
    await Promise.all([gone(child), ended]);
  };
  releaseAfterwards(kill);
  return {
    lines,
    printed: async (count) => {
      while (lines.length < count) {
        const more = await Promise.race([once(reader, 'line').then(() => true), ended.then(() => false)]);
        if (!more && lines.length < count) throw new Error(`${program} ended after ${lines.length} lines`);
      }
    },
    kill,
  };
}

async function gone(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}
