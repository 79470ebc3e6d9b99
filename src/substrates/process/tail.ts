import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { codeOf } from '../../lib/text/error-line.ts';
import { type LogTail, tailOf } from '../substrate.ts';

const LF = 0x0a;
/** A job can replace its log with a link or a pipe. Opening a pipe would block a thread until something writes to it. */
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * Returns the last lines of a text that is spread over these files, the newest first. Null if none of them
 * exists. However many lines are requested, the part to show has at most `maxBytes` and begins with a whole
 * line, unless a single line is longer than that. Reads at most `maxBytes` and `marginBytes` from the end.
 */
export async function tailFiles(
  files: readonly string[],
  lines: number,
  maxBytes: number,
  marginBytes: number,
): Promise<LogTail | null> {
  const limit = maxBytes + marginBytes;
  let end: Buffer | null = null;
  for (const file of files) {
    const room: number = limit - (end?.length ?? 0);
    const part: Buffer | null = room > 0 ? await readEnd(file, room) : null;
    if (part) end = end ? Buffer.concat([part, end]) : part;
  }
  if (!end) return null;
  return tailOf(end, Math.max(lastLines(end, lines), lastBytes(end, maxBytes, limit)), marginBytes);
}

/** Returns where the last lines begin. Text after the last newline is a line, too. */
function lastLines(bytes: Buffer, lines: number): number {
  let from = bytes.length;
  for (let left = lines; left > 0 && from > 0; left -= 1) {
    from = from === 1 ? 0 : bytes.lastIndexOf(LF, from - 2) + 1;
  }
  return from;
}

/** Returns where the whole lines among the last bytes begin. Bytes that fill the limit end a longer text. */
function lastBytes(bytes: Buffer, maxBytes: number, limit: number): number {
  const from = Math.max(0, bytes.length - maxBytes);
  if (from === 0 && bytes.length < limit) return 0;
  const line = bytes.indexOf(LF, from) + 1;
  return line > 0 && line < bytes.length ? line : firstCharacter(bytes, from);
}

/** Skips the rest of a multi-byte character that the cut divides. */
function firstCharacter(bytes: Buffer, from: number): number {
  let start = from;
  while (start < bytes.length && (bytes[start]! & 0xc0) === 0x80) start += 1;
  return start;
}

async function readEnd(path: string, maxBytes: number): Promise<Buffer | null> {
  const file = await open(path, READ).catch((error: unknown) => {
    if (['ENOENT', 'ELOOP'].includes(codeOf(error))) return null;
    throw error;
  });
  if (!file) return null;
  try {
    const stats = await file.stat();
    if (!stats.isFile()) return null;
    const { size } = stats;
    const length = Math.min(size, maxBytes);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
