import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { releaseAfterwards } from '../../support/releases.ts';

/** A program of this folder that runs as a process of its own. */
export interface Child {
  /** What it has printed, one entry a line; grows until it has ended. */
  readonly lines: readonly string[];
  /** Resolves once it has printed so many lines; rejects when it ends before that. */
  printed(count: number): Promise<void>;
  /** Ends it without a word (SIGKILL) and resolves when it is gone and everything it printed is read. */
  kill(): Promise<void>;
}

/** Starts a program of this folder; it is killed when the test has finished, if it still runs then. */
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
