/** A message whose end has not come. */
export interface Unfinished {
  /** Bytes of it that have come. 0: there is no such message. */
  readonly bytes: number;
  /** Whether another message ended in the last chunk. */
  readonly afterAnother: boolean;
}

/** Takes one chunk of a websocket's stream after the other. */
export type FrameBytes = (chunk: Buffer) => Unfinished;

/** The longest header of a frame from a client: two bytes, eight of length, four of the mask. */
const HEADER_MAX_BYTES = 14;
const CONTROL = 0x08;
const FINAL = 0x80;

/**
 * Follows the frames of one client (RFC 6455, section 5.2) by their headers alone. Needed because ws keeps the
 * fragments of a message to itself until the last one. What breaks the protocol is for ws to refuse.
 */
export function createFrameBytes(): FrameBytes {
  const header = Buffer.alloc(HEADER_MAX_BYTES);
  let headerBytes = 0;
  /** Bytes of the payload still to come; null while in a header. */
  let missing: number | null = null;
  let unfinished = 0;
  let afterAnother = false;

  function endFrame(): void {
    const first = header[0]!;
    // Control frames may stand between the fragments of a message.
    if ((first & FINAL) !== 0 && (first & CONTROL) === 0) {
      unfinished = 0;
      afterAnother = true;
    }
    headerBytes = 0;
    missing = null;
  }

  return (chunk) => {
    afterAnother = false;
    let at = 0;
    while (at < chunk.length) {
      if (missing === null) {
        header[headerBytes] = chunk[at]!;
        headerBytes += 1;
        at += 1;
        if (headerBytes < 2 || headerBytes < headerLength(header)) continue;
        missing = payloadLength(header);
      } else {
        const taken = Math.min(missing, chunk.length - at);
        missing -= taken;
        at += taken;
        if ((header[0]! & CONTROL) === 0) unfinished += taken;
      }
      if (missing === 0) endFrame();
    }
    return { bytes: unfinished + headerBytes, afterAnother };
  };
}

function headerLength(header: Buffer): number {
  const second = header[1]!;
  const length = second & 0x7f;
  const extended = length === 126 ? 2 : length === 127 ? 8 : 0;
  return 2 + extended + ((second & 0x80) === 0 ? 0 : 4);
}

function payloadLength(header: Buffer): number {
  const length = header[1]! & 0x7f;
  if (length === 126) return header.readUInt16BE(2);
  return length === 127 ? Number(header.readBigUInt64BE(2)) : length;
}
