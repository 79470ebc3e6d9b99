import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { isatty } from 'node:tty';
import { createTextTail } from '../../lib/clip.ts';
import type { RuntimeExit } from '../../runtimes/adapter.ts';
import type { Output } from '../output.ts';
import { codeOfSignal } from '../signal-code.ts';
import { createReading } from './reading.ts';

/** What a runtime prints, and how it ended. */
export interface Source {
  /** The next bytes; null at the end. */
  next(): Promise<Uint8Array | null>;
  /** Passes a signal on. */
  signal(signal: NodeJS.Signals): void;
  /** Resolves once the runtime is gone, which may be before its last output was read. */
  readonly exit: Promise<SourceExit>;
}

/** How it ended, for the adapter and for whoever started this. */
export interface SourceExit {
  readonly runtime: RuntimeExit;
  /** As a shell has it: 128 and the signal's number where one ended it. */
  readonly code: number;
}

/** After its process is gone, output that does not come within this belongs to something that was left behind. */
const LINGER_MS = 2_000;
const STDERR_TAIL_LENGTH = 4_096;
/** A shell's own codes for a command that is not there, and for one that cannot be started. */
const NOT_FOUND = 127;
const NOT_STARTED = 126;

/** Starts a command. Its standard error is passed on to `errors`; standard input is this process's own. */
export function startCommand(
  command: readonly [string, ...string[]],
  env: Readonly<Record<string, string | undefined>>,
  errors: Output,
): Source {
  const [program, ...args] = command;
  try {
    return follow(program, spawn(program, args, { env, stdio: ['inherit', 'pipe', 'pipe'] }), errors);
  } catch (error) {
    // Some reasons not to start are thrown, such as a command line that is too long; others come later.
    const exit = notStarted(program, error, errors);
    return { next: async () => null, signal: () => {}, exit };
  }
}

function follow(
  program: string,
  child: ChildProcessByStdio<null, Readable, Readable>,
  errors: Output,
): Source {
  const reading = createReading(child.stdout);
  const complaints = createReading(child.stderr);
  const tail = passOn(complaints.next, errors);

  async function watch(): Promise<SourceExit> {
    const gone = once(child, 'exit').catch((error: unknown) => error);
    const how: unknown = await gone;
    reading.finish(LINGER_MS);
    complaints.finish(LINGER_MS);
    const stderrTail = await tail;
    if (how instanceof Error) return notStarted(program, how, errors);
    const [exitCode, signal] = how as [number | null, NodeJS.Signals | null];
    const code = signal ? codeOfSignal(signal) : (exitCode ?? 1);
    return { runtime: { exitCode, signal, stderrTail }, code };
  }

  return {
    next: reading.next,
    signal: (signal) => {
      // Ctrl-C reaches every process of a terminal by itself, and two of them mean more than one to most agents.
      if (signal !== 'SIGINT' || !hasTerminal()) child.kill(signal);
    },
    exit: watch(),
  };
}

/** What another process prints into this one's standard input. The end of it is all that is known of how that ended. */
export function readInput(input: Readable = process.stdin): Source {
  const reading = createReading(input);
  let resolveExit: (exit: SourceExit) => void = () => {};
  const exit = new Promise<SourceExit>((resolve) => {
    resolveExit = resolve;
  });
  let signalled: NodeJS.Signals | null = null;
  return {
    next: async () => {
      const chunk = await reading.next();
      if (chunk === null) {
        resolveExit(
          signalled
            ? { runtime: { signal: signalled }, code: codeOfSignal(signalled) }
            : { runtime: {}, code: 0 },
        );
      }
      return chunk;
    },
    signal: (signal) => {
      // The writer most likely got it, too, and may have last words.
      reading.finish(signalled ? 0 : LINGER_MS);
      signalled ??= signal;
    },
    exit,
  };
}

async function passOn(next: () => Promise<Uint8Array | null>, errors: Output): Promise<string> {
  const tail = createTextTail(STDERR_TAIL_LENGTH);
  const decoder = new StringDecoder();
  for (let chunk = await next(); chunk; chunk = await next()) {
    tail.add(decoder.write(Buffer.from(chunk)));
    await errors.write(chunk);
  }
  return tail.text();
}

/** Tells of it by its code alone: a message may repeat the command line. */
async function notStarted(program: string, error: unknown, errors: Output): Promise<SourceExit> {
  const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  const isMissing = reason === 'ENOENT';
  const told = `${program} cannot be started: ${isMissing ? 'there is no such command' : reason}`;
  await errors.write(`runfeed: ${told}\n`);
  const code = isMissing ? NOT_FOUND : NOT_STARTED;
  return { runtime: { exitCode: code, stderrTail: told }, code };
}

function hasTerminal(): boolean {
  return [0, 1, 2].some((fd) => isatty(fd));
}
