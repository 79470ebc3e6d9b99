import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { releaseAfterwards } from './releases.ts';

/** An admin token in the format of ADMIN_TOKEN_FILE. */
export const ADMIN_TOKEN = 'an-admin-token-that-only-tests-know-of';

/**
 * Starts a proxy to a server with a PUBLIC_URL, which may be down, that adds the admin token to each request
 * and websocket. Returns the address of the proxy's `/graphql`.
 */
export async function openOperatorFront(graphql: string, token: string = ADMIN_TOKEN): Promise<string> {
  const authorization = `Bearer ${token}`;
  const { hostname, port } = new URL(graphql);
  const front = createServer((incoming, answer) => {
    const { method = 'GET', headers } = incoming;
    const passed = request(graphql, { method, headers: { ...headers, authorization } }, (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(answer);
      response.on('error', () => answer.destroy());
    });
    passed.on('error', () => answer.destroy());
    answer.on('close', () => passed.destroy());
    incoming.pipe(passed);
  });
  front.on('upgrade', (incoming, socket, head) => {
    const headers = { ...incoming.headers, authorization };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${String(value)}\r\n`);
    const server = connect(Number(port), hostname, () => {
      server.write(`GET /graphql HTTP/1.1\r\n${lines.join('')}\r\n`);
      server.write(head);
      socket.pipe(server).pipe(socket);
    });
    for (const [one, other] of [
      [server, socket],
      [socket, server],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  front.listen(0, '127.0.0.1');
  await once(front, 'listening');
  releaseAfterwards(() => {
    front.closeAllConnections();
    front.close();
  });
  return `http://127.0.0.1:${(front.address() as AddressInfo).port}/graphql`;
}
