import { closeSync, constants, fstatSync, openSync, readSync, type Stats, statSync } from 'node:fs';
import { codeOf } from './text/error-line.ts';

/** A file's text, or why it cannot be read, as the end of a sentence about the file that says what to do. */
export type FileRead =
  | { readonly ok: true; readonly text: string }
  | {
      readonly ok: false;
      /** `unusable`: the file exists, but no retry and no other user can read it. */
      readonly reason: 'unreadable' | 'unusable';
      readonly problem: string;
      /** The system's code, such as ENOENT. Empty if it gave none. */
      readonly code: string;
    };

// A pipe that nobody writes to must not block the process, nor a terminal become its own.
const READ = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

/**
 * Reads a file that others may have put there: a regular file, also behind links, of at most `maxBytes`. Pipes, devices
 * and folders are refused without opening them, because they may never end, and opening some has effects.
 */
export function readRegularFile(path: string, maxBytes: number): FileRead {
  try {
    const known = kindOf(statSync(path));
    if (known !== 'file') return notRegular(known);
    const file = openSync(path, READ);
    try {
      // Another file may have taken its place.
      const kind = kindOf(fstatSync(file));
      return kind === 'file' ? readOpened(file, maxBytes) : notRegular(kind);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    const code = codeOf(error);
    return {
      ok: false,
      reason: 'unreadable',
      problem: `cannot be read (${code || 'an unknown error'})`,
      code,
    };
  }
}

function readOpened(file: number, maxBytes: number): FileRead {
  // One byte more, to notice a longer file. The size in its entry may be 0, as in /proc, or out of date.
  const parts: Buffer[] = [];
  let length = 0;
  while (length <= maxBytes) {
    const part = Buffer.allocUnsafe(Math.min(64 * 1024, maxBytes + 1 - length));
    const count = readSync(file, part);
    if (count === 0) return { ok: true, text: Buffer.concat(parts).toString('utf8') };
    parts.push(part.subarray(0, count));
    length += count;
  }
  return {
    ok: false,
    reason: 'unusable',
    problem: `has more than ${maxBytes / 1024} KiB: a smaller file is required`,
    code: '',
  };
}

function notRegular(kind: string): FileRead {
  return { ok: false, reason: 'unusable', problem: `is ${kind}: a regular file is required`, code: '' };
}

function kindOf(stats: Stats): string {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'a folder';
  if (stats.isFIFO()) return 'a pipe';
  return stats.isSocket() ? 'a socket' : 'a device';
}
