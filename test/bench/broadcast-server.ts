import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

// The least that fan-out could cost: whoever connects to /publish sends a text first and then numbers, and everybody
// else gets the text that many times. What one subscriber gets in one go leaves in one write: with a write for each
// message, a server that gathers them would beat its own limit.

const http = createServer();
const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
const subscribers: { readonly socket: WebSocket; readonly stream: Socket }[] = [];

http.on('upgrade', (request: IncomingMessage, stream: Socket, head: Buffer) => {
  sockets.handleUpgrade(request, stream, head, (socket) => {
    if (request.url === '/publish') takeOrders(socket);
    else subscribers.push({ socket, stream });
  });
});

function takeOrders(publisher: WebSocket): void {
  let prepared: Buffer | undefined;
  publisher.on('message', (data) => {
    if (prepared === undefined) prepared = Buffer.from(String(data));
    else broadcast(prepared, Number(String(data)));
  });
}

function broadcast(message: Buffer, times: number): void {
  for (const { socket, stream } of subscribers) {
    stream.cork();
    for (let left = times; left > 0; left -= 1) socket.send(message, { binary: false });
    stream.uncork();
  }
}

http.listen(0, '127.0.0.1');
await once(http, 'listening');
process.stdout.write(`listening on http://127.0.0.1:${(http.address() as AddressInfo).port}\n`);
