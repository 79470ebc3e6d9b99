import { createLineSplitter, MAX_LINE_BYTES } from './ndjson.ts';

/** One thing that a server-sent event stream holds. */
export type SsePiece =
  /** A frame with data; several `data` lines are joined by line feeds. `event` and `id` only if the frame has them. */
  | {
      readonly kind: 'frame';
      readonly event: string | undefined;
      readonly id: string | undefined;
      readonly data: string;
    }
  /** A line that belongs to no such stream, such as the body of an answer that is not one. */
  | { readonly kind: 'stray'; readonly line: string };

/** Turns bytes, however they are cut into chunks, into frames. */
export interface SseSplitter {
  /** What this chunk completes. The chunk may be reused by the caller afterwards. */
  push(bytes: Uint8Array): SsePiece[];
  /** What is left over: at most one line and one frame, which may lack the blank line after it. */
  end(): SsePiece[];
  /** How many frames were larger than the limit and therefore dropped. */
  dropped(): number;
}

const LF = 0x0a;
const CR = 0x0d;

// No line holds a line feed, so that this cannot come from the wire.
const TOO_LONG = '\n';

/**
 * A splitter for server-sent events whose lines end with LF, CRLF or CR. Comments and frames without data are left out,
 * and so are frames with a line of more than `maxFrameBytes` bytes (default {@link MAX_LINE_BYTES}) or with more than as
 * many UTF-16 units of data, which are counted.
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

/** Gives each chunk with LF for every CR and CRLF, also for one that is cut in two. */
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
