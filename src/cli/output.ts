import { write } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Somebody shares the descriptor and has made it one that does not wait: then it is tried again. */
const AGAIN_MS = 10;

/** Writes bytes to where a process's output goes. */
export interface Output {
  /** Resolves when all of it is written, however slowly it is read; or when nobody reads any more: then it is dropped. */
  write(bytes: Uint8Array | string): Promise<void>;
  /** Waits at most `ms` for what is not written yet. False: somebody does not read. */
  finishesWithin(ms: number): Promise<boolean>;
  /** Nobody reads any more. */
  hungUp(): boolean;
}

/**
 * Output to a descriptor (1 or 2). `process.stdout` would stop the whole process while a pipe is full; here only the
 * writer waits.
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
