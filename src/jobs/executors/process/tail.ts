import { open } from 'node:fs/promises';
import { codeOf } from '../../../lib/error-line.ts';

/**
 * The last lines of a text that lies in these files, the newest first; null when none of them is there. However many
 * lines were asked for, it reads no more than `maxBytes` from the end and gives none of which it has only the end,
 * unless that is all there is.
 */
export async function tailFiles(
  files: readonly string[],
  lines: number,
  maxBytes: number,
): Promise<string | null> {
  let end: Buffer | null = null;
  for (const file of files) {
    const room: number = maxBytes - (end?.length ?? 0);
    const part: Buffer | null = room > 0 ? await readEnd(file, room) : null;
    if (part) end = end ? Buffer.concat([part, end]) : part;
  }
  if (!end) return null;
  const cut = end.length === maxBytes ? end.indexOf('\n') + 1 : 0;
  return lastLines(end.subarray(cut < end.length ? cut : 0).toString('utf8'), lines);
}

/** A line is what ends with a newline, and what stands behind the last one. */
function lastLines(text: string, lines: number): string {
  let from = text.length;
  for (let left = lines; left > 0 && from > 0; left -= 1) {
    from = from === 1 ? 0 : text.lastIndexOf('\n', from - 2) + 1;
  }
  return text.slice(from);
}

async function readEnd(path: string, maxBytes: number): Promise<Buffer | null> {
  const file = await open(path, 'r').catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  });
  if (!file) return null;
  try {
    const { size } = await file.stat();
    const length = Math.min(size, maxBytes);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
