import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { releaseAfterwards } from './releases.ts';

/** A program that listens where clients expect their server, and remembers every byte that they send. */
export interface Eavesdropper {
  readonly url: string;
  /** All bytes of all clients, in the order of their arrival. */
  heard(): string;
  /** Resolves once the bytes match. */
  hears(pattern: RegExp): Promise<void>;
  close(): Promise<void>;
}

/** Where an eavesdropper listens, and what it does with what it hears. */
export interface EavesdropperOptions {
  readonly host?: string;
  readonly port?: number;
  /** The server to which everything is passed on. By default every request is answered with 401. */
  readonly relayTo?: string;
}

const UNAUTHORIZED = 'HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n';

/** Starts an eavesdropper, by default on a free port of 127.0.0.1, for the duration of the test. */
export async function startEavesdropper(options: EavesdropperOptions = {}): Promise<Eavesdropper> {
  const { host = '127.0.0.1', port = 0, relayTo } = options;
  const open = new Set<Socket>();
  let heard = '';
  const keep = (socket: Socket): void => {
    open.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => open.delete(socket));
  };
  const server = createServer((client) => {
    keep(client);
    client.on('data', (bytes) => {
      heard += bytes.toString('latin1');
      server.emit('heard');
      if (relayTo === undefined) client.write(UNAUTHORIZED);
    });
    if (relayTo === undefined) return;
    const target = new URL(relayTo);
    const upstream = connect(Number(target.port), target.hostname);
    keep(upstream);
    client.pipe(upstream).pipe(client);
    client.once('close', () => upstream.destroy());
    upstream.once('close', () => client.destroy());
  });
  const close = async (): Promise<void> => {
    for (const socket of open) socket.destroy();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  };
  server.listen(port, host);
  await once(server, 'listening');
  releaseAfterwards(close);
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    heard: () => heard,
    hears: async (pattern) => {
      while (!pattern.test(heard)) await once(server, 'heard');
    },
    close,
  };
}
