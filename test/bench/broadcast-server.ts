import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

// Raw fan-out: a client of /publish sends a text first and then numbers, and all other clients receive the
// text that many times. With GATHER, a subscriber's messages of one turn go out in one write instead of one
// write each.

const http = createServer();
const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
const subscribers = new Map<WebSocket, Socket>();
const gather = process.env.GATHER === '1';

http.on('upgrade', (request: IncomingMessage, stream: Socket, head: Buffer) => {
  sockets.handleUpgrade(request, stream, head, (socket) => {
    if (request.url === '/publish') takeOrders(socket);
    else subscribers.set(socket, stream);
    socket.on('close', () => subscribers.delete(socket));
  });
});

function takeOrders(publisher: WebSocket): void {
  let prepared: Buffer | undefined;
  publisher.on('message', (data) => {
    if (prepared === undefined) prepared = Buffer.from(String(data));
    else if (gather) broadcastGathered(prepared, Number(String(data)));
    else broadcast(prepared, Number(String(data)));
  });
}

function broadcast(message: Buffer, times: number): void {
  for (let left = times; left > 0; left -= 1) {
    for (const socket of subscribers.keys()) socket.send(message, { binary: false });
  }
}

function broadcastGathered(message: Buffer, times: number): void {
  for (const [socket, stream] of subscribers) {
    stream.cork();
    for (let left = times; left > 0; left -= 1) socket.send(message, { binary: false });
    stream.uncork();
  }
}

http.listen(0, '127.0.0.1');
await once(http, 'listening');
process.stdout.write(`listening on http://127.0.0.1:${(http.address() as AddressInfo).port}\n`);
