import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { WebSocket } from 'ws';
import type { PreparedBatch } from './batches.ts';
import { acceptedOf, ingestPayload } from './documents.ts';

/** A producer on one connection. */
export interface Writer {
  /** Sends a batch. Resolves to the number of events stored. One call at a time. */
  send(runId: string, batch: PreparedBatch): Promise<number>;
  close(): void;
}

export type Transport = 'websocket' | 'HTTP';

/** Opens a producer's connection to a server's `/graphql`. */
export async function openWriter(graphqlUrl: string, transport: Transport): Promise<Writer> {
  switch (transport) {
    case 'websocket':
      return openWebsocketWriter(graphqlUrl);
    case 'HTTP':
      return openHttpWriter(graphqlUrl);
  }
}

async function openWebsocketWriter(graphqlUrl: string): Promise<Writer> {
  const socket = new WebSocket(graphqlUrl.replace('http', 'ws'), 'graphql-transport-ws', {
    perMessageDeflate: false,
  });
  await once(socket, 'open');
  socket.send('{"type":"connection_init"}');
  await once(socket, 'message');
  let sent = 0;
  let settle = (_accepted: number): void => {};
  let fail = (_error: unknown): void => {};
  socket.on('message', (data) => {
    const message = JSON.parse(String(data)) as { type: string; payload?: unknown };
    try {
      if (message.type === 'next') settle(acceptedOf(message.payload));
      else if (message.type === 'error') fail(new Error(`refused: ${String(data)}`));
    } catch (error) {
      fail(error);
    }
  });
  socket.on('close', (code) => fail(new Error(`the server closed the socket with ${code}`)));
  return {
    send: (runId, batch) =>
      new Promise((resolve, reject) => {
        settle = resolve;
        fail = reject;
        // An operation id is free again only after `complete`, which is not awaited here.
        sent += 1;
        socket.send(`{"id":"${sent}","type":"subscribe","payload":${ingestPayload(runId, batch)}}`);
      }),
    close: () => socket.terminate(),
  };
}

async function openHttpWriter(graphqlUrl: string): Promise<Writer> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const headers = { 'content-type': 'application/json', accept: 'application/json' };
  return {
    send: (runId, batch) =>
      new Promise((resolve, reject) => {
        const body = Buffer.from(ingestPayload(runId, batch));
        const options = { agent, method: 'POST', headers: { ...headers, 'content-length': body.length } };
        const sending = request(graphqlUrl, options, (response) => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (chunk: string) => {
            text += chunk;
          });
          response.on('end', () => {
            try {
              resolve(acceptedOf(JSON.parse(text)));
            } catch (error) {
              reject(error);
            }
          });
          response.on('error', reject);
        });
        sending.on('error', reject);
        sending.end(body);
      }),
    close: () => agent.destroy(),
  };
}
