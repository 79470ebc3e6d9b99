import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { releaseAfterwards } from '../support/releases.ts';

/** A proxy that passes on only requests with the current token. The server behind it never sees a token. */
export interface TokenGate {
  readonly graphql: string;
  /** Accepts only this token from now on. Closes the sockets of earlier tokens with 4403. */
  take(token: string): void;
  /** Every `authorization` received, over any transport. */
  readonly shown: readonly unknown[];
}

/** Opens a gate that accepts this token. */
export async function openTokenGate(graphql: string, first: string): Promise<TokenGate> {
  let taken = `Bearer ${first}`;
  const shown: unknown[] = [];
  const gate = createServer((incoming, answer) => {
    shown.push(incoming.headers.authorization);
    if (incoming.headers.authorization !== taken) {
      answer.writeHead(401, { 'content-type': 'application/json' });
      answer.end('{"errors":[{"message":"who are you?","extensions":{"code":"UNAUTHENTICATED"}}]}');
      return;
    }
    const { method = 'GET' } = incoming;
    const { authorization: _seen, ...headers } = incoming.headers;
    const passed = request(graphql, { method, headers }, (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(answer);
    });
    answer.once('close', () => passed.destroy());
    passed.on('error', () => answer.destroy());
    incoming.pipe(passed);
  });
  const sockets = new WebSocketServer({ server: gate, handleProtocols: () => 'graphql-transport-ws' });
  sockets.on('connection', (socket) => {
    const upstream = new WebSocket(graphql.replace('http', 'ws'), 'graphql-transport-ws');
    const opened = once(upstream, 'open');
    upstream.on('message', (data) => socket.send(String(data)));
    upstream.on('close', (code) => socket.close(code === 1006 ? 1012 : code));
    socket.on('close', () => upstream.terminate());
    socket.on('message', (data) => {
      const message = JSON.parse(String(data));
      if (message.type === 'connection_init') {
        shown.push(message.payload?.authorization);
        if (message.payload?.authorization !== taken) return socket.close(4403, 'Forbidden');
      }
      const passed = message.type === 'connection_init' ? '{"type":"connection_init"}' : String(data);
      void opened.then(() => upstream.send(passed));
    });
  });
  gate.listen(0, '127.0.0.1');
  await once(gate, 'listening');
  releaseAfterwards(() => {
    for (const socket of sockets.clients) socket.terminate();
    gate.closeAllConnections();
    gate.close();
  });
  return {
    graphql: `http://127.0.0.1:${(gate.address() as AddressInfo).port}/graphql`,
    take: (token) => {
      taken = `Bearer ${token}`;
      for (const socket of sockets.clients) socket.close(4403, 'Forbidden');
    },
    shown,
  };
}
