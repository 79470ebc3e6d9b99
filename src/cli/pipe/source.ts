import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { isatty } from 'node:tty';
import { createTextTail } from '../../lib/text/clip.ts';
import type { RuntimeExit } from '../../runtimes/adapter.ts';
import type { Output } from '../terminal/output.ts';
import { codeOfSignal } from '../terminal/signal-code.ts';
import { createReading } from './reading.ts';

/** A runtime's output and how the runtime ended. */
export interface Source {
  /** The next bytes; null at the end. */
  next(): Promise<Uint8Array | null>;
  /** Forwards a signal to the runtime. */
  signal(signal: NodeJS.Signals): void;
  /** Resolves once the runtime is gone, possibly before its last output is read. */
  readonly exit: Promise<SourceExit>;
}

/** How a runtime ended. */
export interface SourceExit {
  readonly runtime: RuntimeExit;
  /** False if the command could not be started. */
  readonly started: boolean;
  /** The exit code as a shell reports it: 128 plus the signal's number if a signal ended the runtime. */
  readonly code: number;
}

/** Output that arrives later than this after the process is gone belongs to a process it left behind. */
const LINGER_MS = 2_000;
/** Longer than the reported tail, so that no secret is cut before it is redacted. */
const STDERR_TAIL_LENGTH = 16_384;
/** A shell's exit codes for a command that does not exist, and for one that cannot be started. */
const NOT_FOUND = 127;
const NOT_STARTED = 126;

/** The limit on Linux: 32 pages, including the final NUL. */
const MAX_ARGUMENT_BYTES = 128 * 1024 - 1;

class ArgumentTooLong extends Error {
  readonly place: number;
  readonly bytes: number;
  constructor(place: number, bytes: number) {
    super(`argument ${place} has ${bytes} bytes`);
    this.place = place;
    this.bytes = bytes;
  }
}

/**
 * Starts a command. Its standard error is copied to `errors`; it inherits this process's standard input.
 * Never throws: a command that cannot be started has exit code 126 or 127.
 */
export function startCommand(
  command: readonly [string, ...string[]],
  env: Readonly<Record<string, string | undefined>>,
  errors: Output,
): Source {
  const [program, ...args] = command;
  const tooLong = command.findIndex((argument) => Buffer.byteLength(argument) > MAX_ARGUMENT_BYTES);
  if (tooLong >= 0) {
    const bytes = Buffer.byteLength(command[tooLong] ?? '');
    return unstarted(program, new ArgumentTooLong(tooLong, bytes), errors);
  }
  try {
    return follow(program, spawn(program, args, { env, stdio: ['inherit', 'pipe', 'pipe'] }), errors);
  } catch (error) {
    // Some failures are thrown here, such as a command line that is too long; others are emitted later.
    return unstarted(program, error, errors);
  }
}

function unstarted(program: string, error: unknown, errors: Output): Source {
  return { next: async () => null, signal: () => {}, exit: notStarted(program, error, errors) };
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
    return { runtime: { exitCode, signal, stderrTail }, started: true, code };
  }

  return {
    next: reading.next,
    signal: (signal) => {
      // Ctrl-C reaches every process of a terminal, and most agents react differently to a second one.
      if (signal !== 'SIGINT' || !hasTerminal()) child.kill(signal);
    },
    exit: watch(),
  };
}

/** Reads another process's output from standard input. How that process ended is unknown. */
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
            ? { runtime: { signal: signalled }, started: true, code: codeOfSignal(signalled) }
            : { runtime: {}, started: true, code: 0 },
        );
      }
      return chunk;
    },
    signal: (signal) => {
      // The writer most likely received the signal too, and may still print something.
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

async function notStarted(program: string, error: unknown, errors: Output): Promise<SourceExit> {
  const told = `cannot start ${program}: ${whyNotStarted(error)}`;
  await errors.write(`runfeed: ${told}\n`);
  const code = codeOf(error) === 'ENOENT' ? NOT_FOUND : NOT_STARTED;
  return { runtime: { exitCode: code, stderrTail: told }, started: false, code };
}

/** Uses the error's code only: its message may contain the command line. */
function whyNotStarted(error: unknown): string {
  if (error instanceof ArgumentTooLong) {
    const { place, bytes } = error;
    return `argument ${place} has ${bytes} bytes, but the system allows at most ${MAX_ARGUMENT_BYTES}. Remove {prompt} from the command and let it read the prompt from the file that RUNFEED_PAYLOAD_FILE names`;
  }
  switch (codeOf(error)) {
    case 'ENOENT':
      return 'command not found';
    case 'EACCES':
      return 'permission denied (EACCES)';
    case 'E2BIG':
      return 'its arguments and environment together exceed the system limit (E2BIG). Let it read the payload from the file that RUNFEED_PAYLOAD_FILE names';
    case 'ERR_INVALID_ARG_VALUE':
      return 'an argument or an environment variable contains a NUL character';
    default:
      return codeOf(error);
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}

function hasTerminal(): boolean {
  return [0, 1, 2].some((fd) => isatty(fd));
}
