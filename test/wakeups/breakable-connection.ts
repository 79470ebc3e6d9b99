import { connect, createServer, type Socket } from 'node:net';
import { releaseAfterwards } from '../support/releases.ts';

/** A proxy to a server that can fail as networks do. It is closed after the test. */
export interface BreakableConnection {
  /** The server's URL with the address of the proxy. */
  readonly url: string;
  /** Returns the ports from which the server sees the current connections. */
  ports(): number[];
  /** Keeps connections open but silent in both directions, new ones too. */
  freeze(): void;
  /** Closes every connection and refuses new ones. */
  cut(): void;
  /** Lets new connections work again. Frozen connections stay frozen. */
  mend(): void;
}

/** Starts a proxy to the host and port of the URL. */
export async function breakableConnection(url: string, defaultPort: number): Promise<BreakableConnection> {
  const target = new URL(url);
  const pairs = new Set<readonly [Socket, Socket]>();
  let state: 'sound' | 'frozen' | 'cut' = 'sound';
  const server = createServer((near) => {
    near.on('error', () => {});
    if (state === 'cut') return void near.destroy();
    const far = connect(Number(target.port) || defaultPort, target.hostname);
    const pair = [near, far] as const;
    pairs.add(pair);
    far.on('error', () => {});
    const end = () => {
      for (const socket of pair) socket.destroy();
      pairs.delete(pair);
    };
    near.on('close', end);
    far.on('close', end);
    if (state === 'frozen') return;
    near.pipe(far);
    far.pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (!address || typeof address === 'string') throw new Error('no TCP port available');
  const way = new URL(url);
  way.host = `127.0.0.1:${address.port}`;

  function cut(): void {
    state = 'cut';
    for (const pair of pairs) for (const socket of pair) socket.destroy();
  }
  releaseAfterwards(() => {
    cut();
    server.close();
  });
  return {
    url: way.href,
    ports: () => [...pairs].flatMap(([, far]) => far.localPort ?? []),
    freeze: () => {
      state = 'frozen';
      for (const [near, far] of pairs) {
        near.unpipe(far).pause();
        far.unpipe(near).pause();
      }
    },
    cut,
    mend: () => {
      state = 'sound';
    },
  };
}
