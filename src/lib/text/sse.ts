import { createLineSplitter, MAX_LINE_BYTES } from './ndjson.ts';

/** One part of a server-sent event stream. */
export type SsePiece =
  /**
   * A frame with data. Several `data` lines are joined by line feeds. `event` and `id` are undefined if the
   * frame lacks them.
   */
  | {
      readonly kind: 'frame';
      readonly event: string | undefined;
      readonly id: string | undefined;
      readonly data: string;
    }
  /** A line that is not part of an event stream, such as the body of a response of another type. */
  | { readonly kind: 'stray'; readonly line: string };

/** Splits bytes into frames, regardless of how the bytes are chunked. */
export interface SseSplitter {
  /** Returns the parts that this chunk completes. The caller may reuse the chunk afterwards. */
  push(bytes: Uint8Array): SsePiece[];
  /** Returns what is left: at most one line and one frame, which may lack the blank line after it. */
  end(): SsePiece[];
  /** Returns how many frames exceeded the limit and were dropped. */
  dropped(): number;
}

const LF = 0x0a;
const CR = 0x0d;

// No line contains a line feed, so this cannot come from the wire.
const TOO_LONG = '\n';

/**
 * Creates a splitter for server-sent events whose lines end with LF, CRLF or CR. Comments and frames without
 * data are omitted. Frames with a line of more than `maxFrameBytes` bytes (default {@link MAX_LINE_BYTES}),
 * or with more UTF-16 units of data than that, are dropped and counted.
 */
export function createSseSplitter(maxFrameBytes: number = MAX_LINE_BYTES): SseSplitter {
  const lines = createLineSplitter(maxFrameBytes, TOO_LONG);
  const unify = createLineEndUnifier();
  let event: string | undefined;
  let id: string | undefined;
  let data: string[] = [];
  let size = 0;
  let oversized = false;
  let droppedFrames = 0;

  const finishFrame = (pieces: SsePiece[]): void => {
    if (oversized) droppedFrames += 1;
    else if (data.length > 0) pieces.push({ kind: 'frame', event, id, data: data.join('\n') });
    event = undefined;
    id = undefined;
    data = [];
    size = 0;
    oversized = false;
  };

  const spoil = (): void => {
    oversized = true;
    data = [];
  };

  const readField = (name: string, value: string): boolean => {
    switch (name) {
      case 'data':
        size += value.length + 1;
        if (size > maxFrameBytes) spoil();
        if (!oversized) data.push(value);
        return true;
      case 'event':
        event = value;
        return true;
      case 'id':
        id = value;
        return true;
      case 'retry':
        return true;
      default:
        return false;
    }
  };

  const readLine = (line: string, pieces: SsePiece[]): void => {
    if (line === '') finishFrame(pieces);
    else if (line === TOO_LONG) spoil();
    else {
      const colon = line.indexOf(':');
      if (colon === 0) return;
      const name = colon === -1 ? line : line.slice(0, colon);
      const value = colon === -1 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
      if (!readField(name, value)) pieces.push({ kind: 'stray', line });
    }
  };

  return {
    push(bytes) {
      const pieces: SsePiece[] = [];
      for (const line of lines.push(unify(bytes))) readLine(line, pieces);
      return pieces;
    },
    end() {
      const pieces: SsePiece[] = [];
      for (const line of lines.end()) readLine(line, pieces);
      finishFrame(pieces);
      return pieces;
    },
    dropped: () => droppedFrames,
  };
}

/** Returns a function that replaces every CR and CRLF by LF, even a CRLF that is split between two chunks. */
function createLineEndUnifier(): (bytes: Uint8Array) => Uint8Array {
  let afterCR = false;
  return (bytes) => {
    if (!afterCR && !bytes.includes(CR)) return bytes;
    const unified = new Uint8Array(bytes.length);
    let length = 0;
    for (const byte of bytes) {
      if (byte !== LF || !afterCR) {
        unified[length] = byte === CR ? LF : byte;
        length += 1;
      }
      afterCR = byte === CR;
    }
    return unified.subarray(0, length);
  };
}
