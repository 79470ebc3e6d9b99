import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';

const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

/**
 * A websocket that counts text messages without parsing them. A full client costs as much per message as the
 * server that it would measure; this one skips through whole chunks from header to header.
 */
export interface FrameSocket {
  send(text: string): void;
  /** The number of text messages received. */
  texts(): number;
  /** The newest text message. */
  lastText(): string;
  /**
   * Calls back with every further text message. This costs what counting saves, so it is meant for a few
   * sockets.
   */
  witness(onText: (text: string) => void): void;
  /** Stops reading from the socket. */
  pause(): void;
  close(): void;
}

/**
 * Opens a socket. `onTexts` receives the number of messages in each chunk. `onClosed` is called when the
 * server ends the socket.
 */
export async function openFrameSocket(
  url: string,
  protocol: string | null,
  onTexts: (count: number) => void,
  onClosed: () => void,
): Promise<FrameSocket> {
  const upgrading = request(url.replace(/^ws/, 'http'), {
    headers: {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': randomBytes(16).toString('base64'),
      ...(protocol !== null && { 'sec-websocket-protocol': protocol }),
    },
  });
  upgrading.end();
  const [, socket, head] = (await once(upgrading, 'upgrade')) as [IncomingMessage, Socket, Buffer];
  socket.setNoDelay(true);
  let rest = head;
  let texts = 0;
  let last = head;
  let onText: ((text: string) => void) | undefined;

  function read(chunk: Buffer): void {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const before = texts;
    let start = 0;
    let lastStart = -1;
    let lastEnd = -1;
    while (start + 2 <= bytes.length) {
      const short = bytes[start + 1]! & 0x7f;
      const headerBytes = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (start + headerBytes > bytes.length) break;
      const payload = start + headerBytes;
      const length =
        short < 126
          ? short
          : short === 126
            ? bytes.readUInt16BE(start + 2)
            : Number(bytes.readBigUInt64BE(start + 2));
      const end = payload + length;
      if (end > bytes.length) break;
      const opcode = bytes[start]! & 0x0f;
      if (opcode === TEXT) {
        texts += 1;
        lastStart = payload;
        lastEnd = end;
        onText?.(bytes.toString('utf8', payload, end));
      } else if (opcode === PING) socket.write(clientFrame(PONG, bytes.subarray(payload, end)));
      else if (opcode === CLOSE) onClosed();
      start = end;
    }
    rest = bytes.subarray(start);
    if (texts === before) return;
    last = bytes.subarray(lastStart, lastEnd);
    onTexts(texts - before);
  }

  let closing = false;
  socket.on('data', read);
  socket.on('error', () => {});
  socket.on('close', () => closing || onClosed());
  if (head.length > 0) read(Buffer.alloc(0));
  return {
    send: (text) => void socket.write(clientFrame(TEXT, Buffer.from(text))),
    texts: () => texts,
    lastText: () => String(last),
    witness: (callback) => {
      onText = callback;
    },
    pause: () => void socket.pause(),
    close: () => {
      closing = true;
      socket.destroy();
    },
  };
}

/** Returns a client frame: masked, as the protocol requires, with a mask of zeros. */
function clientFrame(opcode: number, payload: Buffer): Buffer {
  if (payload.length > 0xffff) throw new RangeError('a subscriber sends only short messages');
  const header =
    payload.length < 126
      ? [0x80 | opcode, 0x80 | payload.length]
      : [0x80 | opcode, 0x80 | 126, payload.length >> 8, payload.length & 0xff];
  return Buffer.concat([Buffer.from([...header, 0, 0, 0, 0]), payload]);
}
