import { once } from 'node:events';
import type { Socket } from 'node:net';
import { type ClientOptions, type RawData, WebSocket } from 'ws';
import { releaseAfterwards } from './releases.ts';

/** A received message of graphql-transport-ws. */
export interface Message {
  readonly type: string;
  readonly id?: string;
  readonly payload?: unknown;
}

/** The close code and reason of the server. */
export interface Closing {
  readonly code: number;
  readonly reason: string;
}

/** A websocket that queues received messages until they are requested. */
export interface WebsocketClient {
  readonly socket: WebSocket;
  /** Sends text unchanged and anything else as JSON. */
  send(message: unknown): void;
  subscribe(id: string, query: string, variables?: unknown, operationName?: string): void;
  /** Returns the next queued message. Rejects if none arrives in time or the socket closes. */
  next(timeoutMs?: number): Promise<Message>;
  /** Returns all messages until none has arrived for `quietMs` milliseconds. */
  drain(quietMs: number): Promise<Message[]>;
  closed(timeoutMs?: number): Promise<Closing>;
}

/** The options of a connection. */
export interface ConnectOptions extends ClientOptions {
  readonly protocols?: string[];
}

interface Waiter {
  readonly take: (message: Message) => void;
  readonly fail: (error: Error) => void;
}

/**
 * Connects without sending anything. Listeners are added before the socket opens. The socket is closed at the
 * end of the test.
 */
export async function connectWebsocket(url: string, options: ConnectOptions = {}): Promise<WebsocketClient> {
  const { protocols = ['graphql-transport-ws'], ...rest } = options;
  const socket = new WebSocket(url.replace(/^http/, 'ws'), protocols, rest);
  releaseAfterwards(() => socket.terminate());
  const arrived: Message[] = [];
  const waiting = new Set<Waiter>();
  const closing = new Promise<Closing>((resolve) => {
    socket.once('close', (code, reason) => {
      resolve({ code, reason: String(reason) });
      for (const { fail } of [...waiting]) fail(new Error(`closed with ${code} ${String(reason)}`));
    });
  });
  socket.on('message', (data: RawData) => {
    const message = JSON.parse(String(data)) as Message;
    const [waiter] = waiting;
    if (waiter) waiter.take(message);
    else arrived.push(message);
  });

  function next(timeoutMs = 10_000): Promise<Message> {
    const ready = arrived.shift();
    if (ready) return Promise.resolve(ready);
    if (socket.readyState >= WebSocket.CLOSING) return Promise.reject(new Error('the socket is closed'));
    return new Promise((resolve, reject) => {
      const leave = () => {
        clearTimeout(timer);
        waiting.delete(waiter);
      };
      const waiter: Waiter = {
        take: (message) => {
          leave();
          resolve(message);
        },
        fail: (error) => {
          leave();
          reject(error);
        },
      };
      // A waiter that timed out must not take the next message from a later one.
      const timer = setTimeout(
        () => waiter.fail(new Error(`no message arrived within ${timeoutMs} ms`)),
        timeoutMs,
      );
      waiting.add(waiter);
    });
  }

  const send = (message: unknown) =>
    socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  await once(socket, 'open');
  return {
    socket,
    send,
    subscribe: (id, query, variables, operationName) =>
      send({ id, type: 'subscribe', payload: { query, variables, operationName } }),
    next,
    drain: async (quietMs) => {
      const messages: Message[] = [];
      for (;;) {
        const message = await next(quietMs).catch(() => null);
        if (!message) return messages;
        messages.push(message);
      }
    },
    closed: async (timeoutMs = 10_000) => {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(
          () => reject(new Error(`the socket was not closed within ${timeoutMs} ms`)),
          timeoutMs,
        );
      });
      return Promise.race([closing, late]).finally(() => clearTimeout(timer));
    },
  };
}

/** Connects and completes the handshake of graphql-transport-ws. */
export async function openWebsocket(url: string, options: ConnectOptions = {}): Promise<WebsocketClient> {
  const client = await connectWebsocket(url, options);
  client.send({ type: 'connection_init' });
  const { type } = await client.next();
  if (type !== 'connection_ack') throw new Error(`expected an ack, got ${type}`);
  return client;
}

/** Returns the stream of a client's websocket, to send bytes that ws would not write. */
export function streamOf({ socket }: WebsocketClient): Socket {
  return (socket as unknown as { readonly _socket: Socket })._socket;
}
