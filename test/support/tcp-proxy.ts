import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { releaseAfterwards } from './releases.ts';

/** What stands between a client and a server, and does to their connections what networks do. */
export interface TcpProxy {
  /** The server's URL by way of the proxy. */
  readonly url: string;
  /** Cuts every connection that is open; answers how many. */
  cut(): number;
  /** From now on nothing passes, and nobody is told; until `resume`. Connections are taken, too. */
  stall(): void;
  resume(): void;
  /** How many connections it has taken. */
  taken(): number;
}

/** How connections are treated from their first bytes on. */
export interface TcpProxyOptions {
  /** Connections whose first bytes match are cut, as by something that lets no websockets through. */
  readonly refuse?: RegExp;
}

/** Starts a proxy before the server at this URL, on a port of its own until the test has finished. */
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
