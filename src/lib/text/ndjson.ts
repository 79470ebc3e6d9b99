/** The longest line that is kept by default: 16 MiB. */
export const MAX_LINE_BYTES = 16 * 1024 * 1024;

/** Splits bytes into lines, regardless of how the bytes are chunked. */
export interface LineSplitter {
  /**
   * Returns the lines that this chunk completes, without line ends. The caller may reuse the chunk
   * afterwards.
   */
  push(bytes: Uint8Array): string[];
  /** Returns what is left after the last line end: one line or none. */
  end(): string[];
  /** Returns how many lines exceeded the limit and were dropped. */
  dropped(): number;
}

const LF = 0x0a;
const CR = 0x0d;
const EMPTY = Buffer.alloc(0);
const KEPT_BETWEEN_LINES = 64 * 1024;

/**
 * Creates a splitter for newline-delimited JSON. Only `
 * ` ends a line (one `\r` before it is dropped), because the other Unicode line ends are legal inside JSON
 * strings. Invalid UTF-8 becomes U+FFFD, and a leading byte order mark is dropped. A line of more than
 * `maxLineBytes` bytes (default {@link MAX_LINE_BYTES}) is dropped and counted, and replaced by `standIn` if
 * given.
 */
export function createLineSplitter(maxLineBytes: number = MAX_LINE_BYTES, standIn?: string): LineSplitter {
  // Bytes rather than text are carried over: a line feed never occurs inside a UTF-8 sequence, so a whole
  // line can be decoded at once wherever the chunks were cut. The buffer doubles, so that a long line in tiny
  // chunks takes linear time.
  let carry: Buffer = EMPTY;
  let carried = 0;
  let dropping = false;
  let droppedLines = 0;
  let atStart = true;

  const decode = (bytes: Buffer, from: number, to: number): string => {
    const end = to > from && bytes[to - 1] === CR ? to - 1 : to;
    const line = bytes.toString('utf8', from, end);
    if (!atStart) return line;
    atStart = false;
    return line.startsWith('\uFEFF') ? line.slice(1) : line;
  };

  const drop = (lines: string[]): void => {
    droppedLines += 1;
    if (standIn !== undefined) lines.push(standIn);
    carried = 0;
    carry = EMPTY;
    atStart = false;
  };

  const keep = (bytes: Buffer, from: number, to: number): void => {
    const needed = carried + to - from;
    if (needed > carry.length) {
      const grown = Buffer.allocUnsafeSlow(Math.min(maxLineBytes, Math.max(needed, carry.length * 2, 1024)));
      carry.copy(grown, 0, 0, carried);
      carry = grown;
    }
    bytes.copy(carry, carried, from, to);
    carried = needed;
  };

  const takeCarried = (): string => {
    const line = decode(carry, 0, carried);
    carried = 0;
    if (carry.length > KEPT_BETWEEN_LINES) carry = EMPTY;
    return line;
  };

  return {
    push(chunk) {
      const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      const lines: string[] = [];
      let from = 0;
      for (let to = bytes.indexOf(LF); to !== -1; to = bytes.indexOf(LF, from)) {
        if (dropping) {
          dropping = false;
        } else if (carried + to - from > maxLineBytes) {
          drop(lines);
        } else if (carried > 0) {
          keep(bytes, from, to);
          lines.push(takeCarried());
        } else {
          lines.push(decode(bytes, from, to));
        }
        from = to + 1;
      }
      if (dropping) return lines;
      if (carried + bytes.length - from > maxLineBytes) {
        drop(lines);
        dropping = true;
      } else if (from < bytes.length) {
        keep(bytes, from, bytes.length);
      }
      return lines;
    },
    end() {
      dropping = false;
      return carried > 0 ? [takeCarried()] : [];
    },
    dropped: () => droppedLines,
  };
}
