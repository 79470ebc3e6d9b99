import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { codeOf } from '../../lib/text/error-line.ts';

/** Writes lines for which nothing may wait and nothing may fail, such as a log. */
export interface LineWriter {
  /** Writes a line, which includes its line feed. Drops the line if it cannot be written. */
  write(line: string): void;
}

interface Waiting {
  bytes: Uint8Array;
  /** How many lost lines this entry stands for if it is lost as well. */
  readonly counts: number;
}

/** The most bytes that wait for a slow reader. */
const MAX_WAITING_BYTES = 1024 * 1024;
/** How long a full pipe is left alone, in ms. */
const AGAIN_MS = 20;
/** How long a process that has nothing else to do stays for a slow reader, in ms. */
const LAST_WRITE_MS = 500;

/**
 * Opens descriptor 1 or 2 for lines. `noteOf` returns the line that reports lost lines; it is written once lines
 * can be written again.
 *
 * Each write is synchronous, so that a line is out before the process can end, and non-blocking, so that a full
 * pipe costs no time. An asynchronous write to a pipe without a reader would occupy a thread until the process is
 * killed, since Node waits for its threads when it exits.
 */
export function createLineWriter(standard: 1 | 2, noteOf?: (lost: number) => string): LineWriter {
  const fd = nonBlocking(standard);
  let waiting: Waiting[] = [];
  let waitingBytes = 0;
  let lost = 0;
  /** True if the last successful write ended within a line. */
  let isCut = false;
  let retry: NodeJS.Timeout | undefined;
  let leavesAt: number | null = null;

  function add(line: string, counts: number): void {
    // The rest of the line before is lost.
    const bytes = Buffer.from(isCut && waiting.length === 0 ? `\n${line}` : line);
    if (waiting.length > 0 && waitingBytes + bytes.length > MAX_WAITING_BYTES) {
      lost += counts;
      return;
    }
    waiting.push({ bytes, counts });
    waitingBytes += bytes.length;
  }

  function addNote(): void {
    const told = lost;
    lost = 0;
    if (noteOf && told > 0) add(noteOf(told), told);
  }

  function dropAll(): void {
    for (const { counts } of waiting) lost += counts;
    waiting = [];
    waitingBytes = 0;
  }

  /** Writes until everything is written or the pipe is full. */
  function flush(): void {
    clearTimeout(retry);
    for (let first = waiting[0]; first; first = waiting[0]) {
      try {
        const written = writeSync(fd, first.bytes);
        isCut = written < first.bytes.length;
        waitingBytes -= written;
        if (isCut) first.bytes = first.bytes.subarray(written);
        else waiting.shift();
      } catch (error) {
        if (codeOf(error) === 'EAGAIN') retry = setTimeout(flush, AGAIN_MS).unref();
        else dropAll();
        return;
      }
      if (waiting.length === 0) addNote();
    }
  }

  process.on('beforeExit', () => {
    leavesAt ??= performance.now() + LAST_WRITE_MS;
    flush();
    if (waiting.length > 0 && performance.now() < leavesAt) retry?.ref();
  });
  process.on('exit', flush);

  return {
    write: (line) => {
      const isFirst = waiting.length === 0;
      if (isFirst) addNote();
      add(line, 1);
      if (isFirst) flush();
    },
  };
}

/**
 * Returns a descriptor for the same target whose writes fail with EAGAIN instead of waiting. A file keeps its
 * descriptor: its writes wait for no reader, and a new descriptor would write over the start of the file.
 */
function nonBlocking(standard: 1 | 2): number {
  try {
    if (fstatSync(standard).isFile()) return standard;
    // The mode belongs to what is open, which other processes may share: a shell with its terminal, for example.
    const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
    return openSync(`/proc/self/fd/${standard}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
  } catch {
    // A socket, another user's pipe, or another system than Linux. Node's own stream changes the shared mode.
    void (standard === 1 ? process.stdout : process.stderr);
    return standard;
  }
}
