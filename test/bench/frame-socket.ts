import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';

const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

/**
 * A websocket that counts text messages without looking at them. A full client costs as much a message as the server
 * it would measure; this one walks over whole chunks from header to header.
 */
export interface FrameSocket {
  send(text: string): void;
  /** How many text messages came. */
  texts(): number;
  /** The newest text message. */
  lastText(): string;
  /** From now on calls back with every text message, which costs what counting saves: for a few witnesses. */
  witness(onText: (text: string) => void): void;
  /** From now on reads nothing of what comes. */
  pause(): void;
  close(): void;
}

/** Opens one. `onTexts` hears how many messages each chunk had; `onClosed` that the other side ended it. */
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

/** A frame from a client: masked, as the protocol demands, with a mask of zeros. */
function clientFrame(opcode: number, payload: Buffer): Buffer {
  if (payload.length > 0xffff) throw new RangeError('a subscriber sends only short messages');
  const header =
    payload.length < 126
      ? [0x80 | opcode, 0x80 | payload.length]
      : [0x80 | opcode, 0x80 | 126, payload.length >> 8, payload.length & 0xff];
  return Buffer.concat([Buffer.from([...header, 0, 0, 0, 0]), payload]);
}
