import { write } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isatty } from 'node:tty';
import { codeOf, lineOf } from '../../lib/text/error-line.ts';

/** Retry interval on EAGAIN, in ms: a process that shares the descriptor has made it non-blocking. */
const AGAIN_MS = 10;
/** The reader of a pipe or a socket is gone, or this process was started without the descriptor. */
const READER_GONE: readonly string[] = ['EPIPE', 'ECONNRESET', 'EBADF'];

/** Standard output or standard error of this process. */
export interface Output {
  /** Resolves once all bytes are written, however slow the reader is, or dropped as the reader is gone. */
  write(bytes: Uint8Array | string): Promise<void>;
  /** Waits up to `ms` for pending writes. False if the reader has not taken all of them by then. */
  finishesWithin(ms: number): Promise<boolean>;
  /** True once nothing more can be written: the reader is gone, or writing has failed. */
  hungUp(): boolean;
  /** Resolves once `hungUp` is true. */
  whenHungUp(): Promise<void>;
  /** Why writing has failed, such as a full disk. Null if it has not: that a reader leaves is no failure. */
  failure(): Error | null;
}

/**
 * Writes to descriptor 1 or 2. `process.stdout` would block the whole process while a pipe is full; here only
 * the caller waits.
 */
export function createOutput(fd: 1 | 2): Output {
  /** On a terminal, EIO means that it is gone. On a disk, it is a failure. */
  const gone = isatty(fd) ? [...READER_GONE, 'EIO'] : READER_GONE;
  let hungUp = false;
  let failure: Error | null = null;
  let last: Promise<void> = Promise.resolve();
  let tellHungUp: () => void = () => {};
  const whenHungUp = new Promise<void>((resolve) => {
    tellHungUp = resolve;
  });

  async function writeAll(bytes: Uint8Array): Promise<void> {
    for (let from = 0; from < bytes.length && !hungUp; ) {
      try {
        from += await writeSome(fd, bytes, from);
      } catch (error) {
        if (codeOf(error) === 'EAGAIN') await sleep(AGAIN_MS);
        else {
          hungUp = true;
          tellHungUp();
          if (!gone.includes(codeOf(error))) failure = failureOf(fd, error);
        }
      }
    }
  }

  return {
    write: (bytes) => {
      const whole = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
      last = last.then(() => writeAll(whole));
      return last;
    },
    finishesWithin: (ms) => Promise.race([last.then(() => true), sleep(ms, false, { ref: false })]),
    hungUp: () => hungUp,
    whenHungUp: () => whenHungUp,
    failure: () => failure,
  };
}

/** Writes everything to standard output. Throws if that fails, but not if the reader leaves. */
export async function print(text: string): Promise<void> {
  const output = createOutput(1);
  await output.write(text);
  throwFailure(output);
}

/** Throws the failure of an output, if it has one. */
export function throwFailure(output: Output): void {
  const failure = output.failure();
  if (failure) throw failure;
}

function failureOf(fd: 1 | 2, cause: unknown): Error {
  const name = fd === 1 ? 'standard output' : 'standard error';
  return new Error(`cannot write to ${name}: ${lineOf(cause)}`, { cause });
}

function writeSome(fd: number, bytes: Uint8Array, from: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, from, bytes.length - from, null, (error, written) =>
      error ? reject(error) : resolve(written),
    );
  });
}
