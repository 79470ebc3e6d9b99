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
  /** Whether it ever ran. */
  readonly started: boolean;
  /** As a shell has it: 128 and the signal's number where one ended it. */
  readonly code: number;
}

/** After its process is gone, output that does not come within this belongs to something that was left behind. */
const LINGER_MS = 2_000;
/** More than is reported, so that no secret is cut before it is redacted. */
const STDERR_TAIL_LENGTH = 16_384;
/** A shell's own codes for a command that is not there, and for one that cannot be started. */
const NOT_FOUND = 127;
const NOT_STARTED = 126;

/** Linux: 32 pages, with the NUL at the end. */
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

/** Starts a command. Its standard error is passed on to `errors`; standard input is this process's own. */
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
    // Some reasons not to start are thrown, such as a command line that is too long; others come later.
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
            ? { runtime: { signal: signalled }, started: true, code: codeOfSignal(signalled) }
            : { runtime: {}, started: true, code: 0 },
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

async function notStarted(program: string, error: unknown, errors: Output): Promise<SourceExit> {
  const told = `${program} cannot be started: ${whyNotStarted(error)}`;
  await errors.write(`runfeed: ${told}\n`);
  const code = codeOf(error) === 'ENOENT' ? NOT_FOUND : NOT_STARTED;
  return { runtime: { exitCode: code, stderrTail: told }, started: false, code };
}

/** By its code alone: a message may repeat the command line. */
function whyNotStarted(error: unknown): string {
  if (error instanceof ArgumentTooLong) {
    const { place, bytes } = error;
    return `argument ${place} has ${bytes} bytes, and the system takes at most ${MAX_ARGUMENT_BYTES} in one. Leave {prompt} out of the command and have it read the prompt from the file that RUNFEED_PAYLOAD_FILE names`;
  }
  switch (codeOf(error)) {
    case 'ENOENT':
      return 'there is no such command';
    case 'EACCES':
      return 'its file may not be executed (EACCES)';
    case 'E2BIG':
      return 'its arguments and its environment together are longer than the system takes (E2BIG). Have it read the payload from the file that RUNFEED_PAYLOAD_FILE names';
    case 'ERR_INVALID_ARG_VALUE':
      return 'an argument or a variable has a NUL character in it';
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
