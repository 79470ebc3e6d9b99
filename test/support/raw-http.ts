import { connect, type Socket } from 'node:net';
import { releaseAfterwards } from './releases.ts';

/** A connection that sends bytes as they are given. */
export interface RawConnection {
  readonly socket: Socket;
  /** Everything that has come. */
  text(): string;
  /** Resolves once what has come matches; rejects when the connection ends before. */
  received(pattern: RegExp): Promise<void>;
  readonly closed: Promise<void>;
}

/** Connects to the server of this URL. Gone at the end of the test. */
export function connectRaw(url: string): RawConnection {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  releaseAfterwards(() => void socket.destroy());
  let all = '';
  let changed = () => {};
  let ended = false;
  // One that is cut while it sends fails; that it is closed is what tests look at.
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

/** The head of a post of JSON. */
export function postHead(url: string, length: number): string {
  return `POST /graphql HTTP/1.1\r\nHost: ${new URL(url).host}\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;
}
