import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { GraphQLError } from 'graphql';
import { type WebSocket, WebSocketServer } from 'ws';
import { REQUEST_MAX_BYTES } from '../../config/limits.ts';
import { CLOSE_CODES, type CloseReason } from '../../contract/errors.ts';
import {
  asFault,
  fault,
  isPassing,
  type ReportUnexpected,
  withoutStatus,
} from '../../graphql/errors/faults.ts';
import { holdReading, ignoreRest, readingOf } from '../load/reading.ts';
import { drained } from '../load/unsent.ts';
import { topLevelString } from '../load/weight.ts';
import { writeFault } from '../operations/answers.ts';
import {
  type Connection,
  closeFor,
  createConnection,
  FIRST_MESSAGE_MAX_BYTES,
  type Operation,
} from './connection.ts';
import { watchLiveness } from './liveness.ts';
import { type Message, type MessageRefusal, releaseMessage, takeMessages } from './messages.ts';
import { createProtocol, type Protocol, type WebsocketOptions } from './operations.ts';
import { createPong } from './pong.ts';
import { countRefused, OPERATION_ID_MAX_LENGTH } from './requests.ts';
import { createSender, type Sender, sendMessage } from './sender.ts';

/** How long a client has to answer the server's close frame. */
const CLOSE_GRACE_MS = 2_000;
/** How long the close frame has to reach a peer that is in the middle of sending a message. */
const CUT_GRACE_MS = 1_000;
/**
 * The most parts of a message that ws keeps. Packets of one byte would take far more memory than the message.
 */
const MAX_PARTS = 16 * 1024;
/** The most fragments of a message: one of 16 MiB may have fragments of 4 KiB. */
const MAX_FRAGMENTS = REQUEST_MAX_BYTES / 4_096;
/**
 * The most pongs that may wait for the end of an event-loop turn. With more, ws ends the socket. The types of
 * ws do not include this option yet.
 */
const PONG_LIMIT = { maxPendingAutoPongs: 1_024 };
/** The protocol's close code for an invalid message. */
const BAD_MESSAGE = 4400;
/** A close frame has room for 123 bytes of text. */
const CLOSE_REASON_MAX_LENGTH = 123;
/** The close code for a message that is too big (RFC 6455, section 7.4.1), as ws uses it. */
const MESSAGE_TOO_BIG = 1009;
/** Where a refused message is searched for its id, which clients write first. To search 16 MiB takes 250 ms. */
const ID_WITHIN_BYTES = 16 * 1024;
const FIRST_TOO_BIG = `messages before connection_ack must not exceed ${FIRST_MESSAGE_MAX_BYTES} bytes`;

/** `/graphql` over websockets, subprotocol graphql-transport-ws. */
export interface WebsocketTransport {
  upgrade(request: IncomingMessage, stream: Socket, head: Buffer): void;
  /** Closes every socket with the reason. Sockets that do not answer are terminated after 2 s. */
  close(reason: CloseReason): Promise<void>;
}

/** Creates the transport. Sockets arrive through `upgrade`. */
export function createWebsocketTransport(options: WebsocketOptions): WebsocketTransport {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: REQUEST_MAX_BYTES,
    // A compression context per socket would cost hundreds of KB.
    perMessageDeflate: false,
    maxBufferedChunks: MAX_PARTS,
    maxFragments: MAX_FRAGMENTS,
    ...PONG_LIMIT,
    handleProtocols: (offered) => (offered.has('graphql-transport-ws') ? 'graphql-transport-ws' : false),
  });
  const protocol = createProtocol(options);
  return {
    upgrade: (request, stream, head) => {
      // Read here, so that the socket does not keep the whole request in memory.
      const { authorization } = request.headers;
      sockets.handleUpgrade(request, stream, head, (socket) =>
        serve(socket, stream, authorization, protocol, options),
      );
    },
    close: async (reason) => {
      const closed = [...sockets.clients].map((socket) => closeWithin(socket, reason, CLOSE_GRACE_MS));
      await Promise.all(closed);
      sockets.close();
    },
  };
}

function serve(
  socket: WebSocket,
  stream: Socket,
  authorization: string | undefined,
  protocol: Protocol,
  { report, load }: WebsocketOptions,
): void {
  const reading = readingOf(stream);
  // ws reports a frame that is too big or malformed here before it closes the socket.
  socket.on('error', () => ignoreRest(reading));
  // Each operation may add a listener, to wait for room or for the socket to close.
  stream.setMaxListeners(0);
  socket.setMaxListeners(0);
  const connection = createConnection(socket, stream, authorization);
  const sender = createSender(socket, reading, load.unread);
  const send = (text: string) => sendMessage(sender, text);
  const stopWatching = watchLiveness(socket, reading, load.unread);
  let handleText: (text: string) => Promise<void> = async () => {};
  const closed = protocol.opened(
    {
      protocol: socket.protocol,
      send: (text) => {
        send(text);
        // Waits for room instead of the write itself, so that a peer that does not read delays its own
        // answers.
        return stream.writableNeedDrain ? drained(stream) : undefined;
      },
      onPing: createPong(reading, send),
      close: (code, reason) => socket.close(code, reason),
      onMessage: (listener) => {
        handleText = listener;
      },
    },
    connection,
  );
  const cut = (code: number, reason: string) => {
    socket.close(code, reason);
    // A closing socket would otherwise continue to collect the message.
    holdReading(reading);
    const late = setTimeout(() => socket.terminate(), CUT_GRACE_MS);
    socket.once('close', () => clearTimeout(late));
  };
  const cutForOthers = () => cut(CLOSE_CODES.tryAgainLater.code, CLOSE_CODES.tryAgainLater.reason);
  load.pending.onCut(stream, cutForOthers);
  const failed = (error: unknown) => void asFault(error, 'INTERNAL_SERVER_ERROR', report);
  load.subscriptions.onCut(stream, () => {
    cutForOthers();
    // The subscriptions are no longer counted, so they end now, whether or not the peer answers the close frame.
    protocol.leave(connection).catch(failed);
  });
  const handlers = {
    handle: (text: Buffer, message: Message) => {
      connection.message = message;
      connection.beginning = null;
      const handled = handleText(String(text));
      // The operation that the message starts is known by now, because nothing up to that point is
      // asynchronous.
      const operation = connection.beginning as Operation | null;
      connection.message = null;
      connection.beginning = null;
      const end = () => {
        if (operation && connection.operations.get(operation.id) === operation) {
          connection.operations.delete(operation.id);
        }
        releaseMessage(message, load);
      };
      const settled = handled.then(end, (error: unknown) => {
        end();
        fail(sender, operation, error, report);
      });
      if (operation) operation.settled = settled;
    },
    refuse: (text: Buffer, refusal: MessageRefusal) => refuse(connection, text, refusal, sender),
    cut: cutForOthers,
    tooBig: () => cut(MESSAGE_TOO_BIG, FIRST_TOO_BIG),
  };
  takeMessages(socket, reading, load, handlers, connection);
  socket.once('close', (code, reason) => {
    stopWatching();
    protocol
      .leave(connection)
      .then(() => closed(code, String(reason)))
      .catch(failed);
  });
}

/** Ends the operation of a message that could not be answered. */
function fail(sender: Sender, operation: Operation | null, error: unknown, report: ReportUnexpected): void {
  const { socket } = sender;
  // The peer disconnected while its message was being answered. Any other error is a fault of the server.
  if (socket.readyState !== socket.OPEN) return;
  if (isUnexpectedMessage(error)) {
    socket.close(BAD_MESSAGE, 'clients must not send this message');
    return;
  }
  const told = writeFault(error, report);
  if (operation === null || isPassing(error)) closeFor(socket, 'tryAgainLater');
  else sendMessage(sender, errorMessage(operation.id, told));
}

/**
 * Refuses a message before the protocol sees it. If the message begins with the id of its operation, only that
 * operation fails.
 */
function refuse(
  connection: Connection,
  text: Buffer,
  { code, message }: MessageRefusal,
  sender: Sender,
): void {
  const { socket } = connection;
  const id = topLevelString(text.subarray(0, ID_WITHIN_BYTES), 'id');
  if (id !== null && id.length <= OPERATION_ID_MAX_LENGTH) {
    countRefused(connection);
    sendMessage(sender, errorMessage(id, fault(code, message)));
  } else if (code === 'OVERLOADED') closeFor(socket, 'tryAgainLater');
  else socket.close(MESSAGE_TOO_BIG, message.slice(0, CLOSE_REASON_MAX_LENGTH));
}

/** Returns the message that ends one operation with an error. */
function errorMessage(id: string, error: GraphQLError): string {
  return JSON.stringify({ id, type: 'error', payload: [withoutStatus(error)] });
}

/**
 * Returns true for the error that graphql-ws throws for a message type that only servers send. This is the
 * client's fault and is not logged.
 */
function isUnexpectedMessage(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('Unexpected message of type');
}

function closeWithin(socket: WebSocket, reason: CloseReason, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => socket.terminate(), graceMs);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
    closeFor(socket, reason);
  });
}
