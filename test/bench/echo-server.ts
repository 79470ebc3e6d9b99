import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

// The minimum cost of forwarding events: what arrives at /publish/RUN is acknowledged and sent unchanged to
// everyone on /follow/RUN.

const http = createServer();
const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
const followers = new Map<string, WebSocket[]>();

http.on('upgrade', (request: IncomingMessage, stream: Socket, head: Buffer) => {
  sockets.handleUpgrade(request, stream, head, (socket) => {
    const [, role, run = ''] = (request.url ?? '').split('/');
    const ofRun = followers.get(run) ?? [];
    followers.set(run, ofRun);
    if (role === 'follow') return void ofRun.push(socket);
    socket.on('message', (data: Buffer) => {
      socket.send('ok');
      for (const follower of ofRun) follower.send(data, { binary: false });
    });
  });
});

http.listen(0, '127.0.0.1');
await once(http, 'listening');
process.stdout.write(`listening on http://127.0.0.1:${(http.address() as AddressInfo).port}\n`);
