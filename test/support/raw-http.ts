import { connect, type Socket } from 'node:net';
import { releaseAfterwards } from './releases.ts';

/** A connection that sends bytes unchanged. */
export interface RawConnection {
  readonly socket: Socket;
  /** Returns everything received. */
  text(): string;
  /** Resolves once the received text matches. Rejects if the connection ends first. */
  received(pattern: RegExp): Promise<void>;
  readonly closed: Promise<void>;
}

/** Connects to the server of this URL for the duration of the test. */
export function connectRaw(url: string): RawConnection {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  releaseAfterwards(() => void socket.destroy());
  let all = '';
  let changed = () => {};
  let ended = false;
  // A connection that is cut while it sends fails. Tests check that it is closed instead.
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    all += chunk.toString('latin1');
    changed();
  });
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      ended = true;
      resolve();
      changed();
    });
  });
  return {
    socket,
    text: () => all,
    closed,
    received: async (pattern) => {
      while (!pattern.test(all)) {
        if (ended) throw new Error(`closed after: ${all.slice(-200)}`);
        await new Promise<void>((resolve) => {
          changed = resolve;
        });
      }
    },
  };
}

/** Returns the head of a post with a JSON body. */
export function postHead(url: string, length: number): string {
  return `POST /graphql HTTP/1.1\r\nHost: ${new URL(url).host}\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;
}
