import { type BatchQueue, createBatchQueue } from '../report/batch-queue.ts';
import { fieldOf, UNAUTHENTICATED } from '../request/refusals.ts';
import {
  batchOf,
  type Connect,
  type FeedRequest,
  feedOperation,
  refuse,
  StreamCut,
  StreamRefused,
} from './feed.ts';
import { type WebSocketClass, type WebSocketLike, webSocketClass } from './websocket-class.ts';

const PROTOCOL = 'graphql-transport-ws';
const OPERATION_ID = '1';
const NORMAL_CLOSURE = 1000;
/** Close codes for a token that the server does not accept, or no longer accepts. */
const UNAUTHENTICATED_CLOSES = [4401, 4403];
/** A peer that is silent for this many checks is gone. Every check but the last sends a ping. */
const SILENT_CHECKS = 3;

/**
 * Follows a run over one websocket, with the subprotocol graphql-transport-ws. Not done by graphql-ws'
 * client, because that client treats some temporary closes as final, reconnects after others with the old
 * cursor, and cannot be stopped while it connects.
 */
export const overWebsocket: Connect = async function* (request, signal) {
  const queue = createBatchQueue();
  const leave = subscribe(webSocketClass(request.webSocketImpl), request, queue);
  try {
    for (let batch = await queue.take(signal); batch; batch = await queue.take(signal)) yield batch;
  } finally {
    leave();
  }
};

/** Fills the queue from a new socket until either ends. Returns a function that closes the socket. */
function subscribe(WebSocket: WebSocketClass, request: FeedRequest, queue: BatchQueue): () => void {
  const socket = new WebSocket(request.url.replace(/^http/, 'ws'), PROTOCOL);
  const send = (message: object): void => {
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
  };
  let silent = 0;
  const checks = setInterval(() => {
    silent += 1;
    if (silent >= SILENT_CHECKS) end(new StreamCut('the connection was silent for too long'));
    else send({ type: 'ping' });
  }, request.stalledAfterMs / SILENT_CHECKS);

  /** The peer may never answer the close, so the socket is destroyed where the platform allows it. */
  function end(error: Error | null): void {
    queue.end(error);
    leave();
    socket.terminate?.();
  }

  function leave(): void {
    clearInterval(checks);
    release(socket);
  }

  function hear(text: string): void {
    const message: unknown = JSON.parse(text);
    switch (fieldOf(message, 'type')) {
      case 'connection_ack':
        request.onOpen();
        send({ id: OPERATION_ID, type: 'subscribe', payload: feedOperation(request) });
        break;
      case 'next':
        if (!queue.push(batchOf(fieldOf(message, 'payload')), text.length))
          end(new StreamCut('too many unread batches'));
        break;
      case 'error':
        refuse({ errors: fieldOf(message, 'payload') });
        throw new StreamCut('received an error without a message');
      case 'complete':
        queue.end(null);
        leave();
        break;
      case 'ping':
        send({ type: 'pong' });
        break;
    }
  }

  socket.onopen = () => {
    const { authorization } = request;
    send({ type: 'connection_init', ...(authorization !== null && { payload: { authorization } }) });
  };
  socket.onmessage = ({ data }) => {
    silent = 0;
    try {
      hear(String(data));
    } catch (cause) {
      const told = cause instanceof StreamCut || cause instanceof StreamRefused;
      end(
        told ? cause : new StreamCut('received a message that is not graphql-transport-ws', null, { cause }),
      );
    }
  };
  // Some platforms report the reason only here; the close that follows may not contain it.
  socket.onerror = ({ message = 'the websocket failed' }) => {
    end(new StreamCut(message, null, { status: statusIn(message) }));
  };
  socket.onclose = ({ code, reason }) => {
    const words = reason || 'the connection was cut';
    const refused = UNAUTHENTICATED_CLOSES.includes(code);
    end(refused ? new StreamRefused(words, UNAUTHENTICATED) : new StreamCut(words, code));
  };
  return leave;
}

/** The HTTP status in an error message of the `ws` package. Null elsewhere: browsers report none. */
function statusIn(message: string): number | null {
  const [, status] = /^Unexpected server response: (\d{3})$/.exec(message) ?? [];
  return status === undefined ? null : Number(status);
}

/** Closes the socket and removes its handlers, except for errors: an unhandled one ends a Node process. */
function release(socket: WebSocketLike): void {
  socket.onopen = null;
  socket.onmessage = null;
  socket.onclose = null;
  socket.onerror = () => {};
  socket.close(NORMAL_CLOSURE);
}
