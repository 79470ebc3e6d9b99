import type { Socket } from 'node:net';

/** Messages with a larger payload are written to the socket separately, without a copy. */
const COPY_LIMIT_BYTES = 16 * 1024;

/** Below this size, a dedicated buffer costs more time than it saves memory. */
const POOLED_BYTES = 1_024;

const FINAL_TEXT_FRAME = 0x81;
const MESSAGE_END = Buffer.from('}');

/**
 * Returns the bytes before the payload in every message of one operation. Only the frame's length differs
 * between messages.
 */
export function messageStart(operationId: string): Buffer {
  return Buffer.from(`{"id":${JSON.stringify(operationId)},"type":"next","payload":`);
}

/**
 * Writes `next` messages as complete websocket frames (RFC 6455, section 5.2: unmasked, since the server
 * sends them), many in one write. Payloads are shared between sockets, so they are copied or passed on, never
 * changed. `onTaken` is called when the stream has taken the last one.
 */
export function writeNextMessages(
  stream: Socket,
  start: Buffer,
  payloads: readonly Buffer[],
  onTaken?: () => void,
): void {
  if (endOfSmall(payloads, 0) === payloads.length) {
    stream.write(copied(start, payloads, 0, payloads.length), onTaken);
    return;
  }
  stream.cork();
  let from = 0;
  while (from < payloads.length) {
    const to = endOfSmall(payloads, from);
    if (to > from) {
      stream.write(copied(start, payloads, from, to), to === payloads.length ? onTaken : undefined);
      from = to;
    } else {
      const payload = payloads[from]!;
      from += 1;
      stream.write(withHeader(start, payload.length));
      stream.write(payload);
      stream.write(MESSAGE_END, from === payloads.length ? onTaken : undefined);
    }
  }
  stream.uncork();
}

/** Returns the index after the small payloads that start at `from`. */
function endOfSmall(payloads: readonly Buffer[], from: number): number {
  let to = from;
  while (to < payloads.length && payloads[to]!.length <= COPY_LIMIT_BYTES) to += 1;
  return to;
}

function copied(start: Buffer, payloads: readonly Buffer[], from: number, to: number): Buffer {
  let size = 0;
  for (let index = from; index < to; index += 1) {
    const length = messageLength(start, payloads[index]!.length);
    size += headerLength(length) + length;
  }
  // While a socket stalls, a slice of the pool would keep all of its 8 KiB in memory.
  const frames = size < POOLED_BYTES ? Buffer.allocUnsafe(size) : Buffer.allocUnsafeSlow(size);
  let at = 0;
  for (let index = from; index < to; index += 1) {
    const payload = payloads[index]!;
    at = writeHeader(frames, at, messageLength(start, payload.length));
    frames.set(start, at);
    frames.set(payload, at + start.length);
    at += start.length + payload.length;
    frames[at] = 0x7d;
    at += 1;
  }
  return frames;
}

function withHeader(start: Buffer, payloadLength: number): Buffer {
  const length = messageLength(start, payloadLength);
  const head = Buffer.allocUnsafe(headerLength(length) + start.length);
  head.set(start, writeHeader(head, 0, length));
  return head;
}

function messageLength(start: Buffer, payloadLength: number): number {
  return start.length + payloadLength + MESSAGE_END.length;
}

function headerLength(length: number): number {
  if (length < 126) return 2;
  return length < 65_536 ? 4 : 10;
}

/** Writes a frame's header and returns the offset where its message starts. */
function writeHeader(into: Buffer, at: number, length: number): number {
  into[at] = FINAL_TEXT_FRAME;
  if (length < 126) {
    into[at + 1] = length;
    return at + 2;
  }
  if (length < 65_536) {
    into[at + 1] = 126;
    into.writeUInt16BE(length, at + 2);
    return at + 4;
  }
  into[at + 1] = 127;
  into.writeBigUInt64BE(BigInt(length), at + 2);
  return at + 10;
}
