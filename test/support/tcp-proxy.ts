import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { releaseAfterwards } from './releases.ts';

/** A proxy between clients and a server that disturbs their connections like networks do. */
export interface TcpProxy {
  /** The server's URL through the proxy. */
  readonly url: string;
  /** Cuts every open connection. Returns how many there were. */
  cut(): number;
  /** Stops forwarding, unnoticed by both sides, until `resume`. New connections are accepted. */
  stall(): void;
  resume(): void;
  /** Returns how many connections the proxy has accepted. */
  taken(): number;
}

/** How to treat connections by their first bytes. */
export interface TcpProxyOptions {
  /** Cuts connections whose first bytes match, like a device that does not support websockets. */
  readonly refuse?: RegExp;
}

/** Starts a proxy to the server at this URL, on a free port, for the duration of the test. */
export async function startTcpProxy(server: string, { refuse }: TcpProxyOptions = {}): Promise<TcpProxy> {
  const { hostname, port } = new URL(server);
  const open = new Set<Socket>();
  let stalled = false;
  let taken = 0;

  function keep(socket: Socket, other: Socket): void {
    open.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => {
      open.delete(socket);
      other.destroy();
    });
    if (stalled) socket.pause();
  }

  const proxy = createServer((client) => {
    taken += 1;
    const upstream = connect(Number(port), hostname);
    keep(client, upstream);
    keep(upstream, client);
    if (!refuse) client.pipe(upstream);
    else {
      client.once('data', (first) => {
        if (refuse.test(String(first))) return void client.destroy();
        upstream.write(first);
        client.pipe(upstream);
      });
    }
    upstream.pipe(client);
    if (!stalled) return;
    client.pause();
    upstream.pause();
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  releaseAfterwards(() => {
    for (const socket of open) socket.destroy();
    proxy.close();
  });
  const url = new URL(server);
  url.port = String((proxy.address() as AddressInfo).port);
  return {
    url: url.href,
    cut: () => {
      const cut = open.size / 2;
      for (const socket of open) socket.destroy();
      return cut;
    },
    stall: () => {
      stalled = true;
      for (const socket of open) socket.pause();
    },
    resume: () => {
      stalled = false;
      for (const socket of open) socket.resume();
    },
    taken: () => taken,
  };
}
