import { type BatchQueue, createBatchQueue } from './batch-queue.ts';
import {
  batchOf,
  type Connect,
  type FeedRequest,
  feedOperation,
  refuse,
  StreamCut,
  StreamRefused,
} from './feed.ts';
import { fieldOf, UNAUTHENTICATED } from './refusals.ts';
import { type WebSocketClass, type WebSocketLike, webSocketClass } from './websocket-class.ts';

const PROTOCOL = 'graphql-transport-ws';
const OPERATION_ID = '1';
const NORMAL_CLOSURE = 1000;
/** How a server closes a socket whose token it does not take, or takes no longer. */
const UNAUTHENTICATED_CLOSES = [4401, 4403];
/** A peer that is silent for so many checks, all but the first with a ping, is gone. */
const SILENT_CHECKS = 3;

/**
 * A run over a websocket of its own, subprotocol graphql-transport-ws. Spoken here rather than by graphql-ws' client:
 * that one takes some passing closes for final, comes back by itself with the old cursor after others, and cannot be
 * left while it connects.
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

/** Fills the queue from a new socket until either has ended; answers how to leave. */
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

  /** Where the peer may not answer, hence would not close, the socket is dropped if the platform can. */
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
          end(new StreamCut('more came than was read'));
        break;
      case 'error':
        refuse({ errors: fieldOf(message, 'payload') });
        throw new StreamCut('an error without words');
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
      end(told ? cause : new StreamCut('what came is none of the protocol’s', null, { cause }));
    }
  };
  // What went wrong is told here by some platforms; the close that follows may not say it.
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

/** The HTTP status that the `ws` package reports in words; null elsewhere: browsers show none. */
function statusIn(message: string): number | null {
  const [, status] = /^Unexpected server response: (\d{3})$/.exec(message) ?? [];
  return status === undefined ? null : Number(status);
}

/** Closes it and hears of it no more, except of its errors: on Node one that nobody hears ends the process. */
function release(socket: WebSocketLike): void {
  socket.onopen = null;
  socket.onmessage = null;
  socket.onclose = null;
  socket.onerror = () => {};
  socket.close(NORMAL_CLOSURE);
}
