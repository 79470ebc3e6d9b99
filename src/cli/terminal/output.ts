import { write } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Retry interval on EAGAIN, in ms: a process that shares the descriptor has made it non-blocking. */
const AGAIN_MS = 10;

/** Standard output or standard error of this process. */
export interface Output {
  /** Resolves once all bytes are written, however slow the reader is, or dropped as the reader is gone. */
  write(bytes: Uint8Array | string): Promise<void>;
  /** Waits up to `ms` for pending writes. False if the reader has not taken all of them by then. */
  finishesWithin(ms: number): Promise<boolean>;
  /** True once the reader is gone. */
  hungUp(): boolean;
}

/**
 * Writes to descriptor 1 or 2. `process.stdout` would block the whole process while a pipe is full; here only
 * the caller waits.
 */
export function createOutput(fd: 1 | 2): Output {
  let hungUp = false;
  let last: Promise<void> = Promise.resolve();

  async function writeAll(bytes: Uint8Array): Promise<void> {
    for (let from = 0; from < bytes.length && !hungUp; ) {
      try {
        from += await writeSome(fd, bytes, from);
      } catch (error) {
        if (codeOf(error) === 'EAGAIN') await sleep(AGAIN_MS);
        else hungUp = true;
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
  };
}

function writeSome(fd: number, bytes: Uint8Array, from: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, from, bytes.length - from, null, (error, written) =>
      error ? reject(error) : resolve(written),
    );
  });
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : null;
}
