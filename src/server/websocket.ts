import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { GraphQLError } from 'graphql';
import { type WebSocket, WebSocketServer } from 'ws';
import { REQUEST_MAX_BYTES } from '../config/limits.ts';
import { CLOSE_CODES, type CloseReason } from '../contract/errors.ts';
import { asFault, fault, isPassing, type ReportUnexpected, withoutStatus } from '../graphql/faults.ts';
import { writeFault } from './answers.ts';
import {
  type Connection,
  closeFor,
  createConnection,
  FIRST_MESSAGE_MAX_BYTES,
  type Operation,
} from './connection.ts';
import { watchLiveness } from './liveness.ts';
import type { Load } from './load.ts';
import { type Message, type MessageRefusal, releaseMessage, takeMessages } from './messages.ts';
import { createPong } from './pong.ts';
import { holdReading, ignoreRest, type Reading, readingOf } from './reading.ts';
import {
  countRefused,
  createProtocol,
  OPERATION_ID_MAX_LENGTH,
  type Protocol,
  type WebsocketOptions,
} from './socket-operations.ts';
import { drained, oneWriteATurn, readsWhileHeard } from './unsent.ts';
import { topLevelString } from './weight.ts';

/** How long a socket has to answer our close frame. */
const CLOSE_GRACE_MS = 2_000;
/** How long the close frame has to reach a peer that is in the middle of a message. */
const CUT_GRACE_MS = 1_000;
/** Parts of a message in ws's hands: packets of one byte would weigh far more than the message. */
const MAX_PARTS = 16 * 1024;
/** Pongs that wait until the turn of the loop ends, beyond which ws ends a socket. The types of ws do not know it yet. */
const PONG_LIMIT = { maxPendingAutoPongs: 1_024 };
/** A longer answer is counted at once, and not only when the turn of the loop ends. */
const LONG_ANSWER = 64 * 1024;
/** The protocol's close code for a message that it does not know. */
const BAD_MESSAGE = 4400;
/** A close frame has room for 123 bytes. */
const CLOSE_REASON_MAX_LENGTH = 123;
/** The protocol's close code for a message that is too big (RFC 6455, section 7.4.1), as ws uses it. */
const MESSAGE_TOO_BIG = 1009;
const FIRST_TOO_BIG = `messages before connection_ack have at most ${FIRST_MESSAGE_MAX_BYTES} bytes`;

/** `/graphql` over websockets, subprotocol graphql-transport-ws. */
export interface WebsocketTransport {
  upgrade(request: IncomingMessage, stream: Socket, head: Buffer): void;
  /** Closes every socket with the reason; those that do not answer are ended after a short grace. */
  close(reason: CloseReason): Promise<void>;
}

/** Makes the transport; its sockets come by `upgrade`. */
export function createWebsocketTransport(options: WebsocketOptions): WebsocketTransport {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: REQUEST_MAX_BYTES,
    // A compression context for each socket would cost hundreds of KB.
    perMessageDeflate: false,
    maxBufferedChunks: MAX_PARTS,
    maxFragments: MAX_PARTS,
    ...PONG_LIMIT,
    handleProtocols: (offered) => (offered.has('graphql-transport-ws') ? 'graphql-transport-ws' : false),
  });
  const protocol = createProtocol(options);
  return {
    upgrade: (request, stream, head) => {
      // Read here, so that the socket does not hold the whole request.
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
  // A frame that is too big or broken is reported here before ws closes the socket by itself.
  socket.on('error', () => ignoreRest(reading));
  // Each of its operations may wait for room, or for the socket to close.
  stream.setMaxListeners(0);
  socket.setMaxListeners(0);
  const connection = createConnection(socket, stream, authorization);
  const send = createSend(socket, reading, load);
  const stopWatching = watchLiveness(socket, reading, load.unread);
  let handleText: (text: string) => Promise<void> = async () => {};
  const closed = protocol.opened(
    {
      protocol: socket.protocol,
      send: (text) => {
        send(text);
        // Not the write itself is waited for but room for more: a peer that does not read holds up its own answers.
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
    // A socket that is closing would otherwise go on collecting the message.
    holdReading(reading);
    const late = setTimeout(() => socket.terminate(), CUT_GRACE_MS);
    socket.once('close', () => clearTimeout(late));
  };
  const handlers = {
    handle: (text: Buffer, message: Message) => {
      connection.message = message;
      connection.beginning = null;
      const handled = handleText(String(text));
      // What it begins is known by now: up to there nothing is waited for.
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
        fail(socket, operation, error, send, report);
      });
      if (operation) operation.settled = settled;
    },
    refuse: (text: Buffer, refusal: MessageRefusal) => refuse(connection, text, refusal, send),
    cut: () => cut(CLOSE_CODES.tryAgainLater.code, CLOSE_CODES.tryAgainLater.reason),
    tooBig: () => cut(MESSAGE_TOO_BIG, FIRST_TOO_BIG),
  };
  takeMessages(socket, reading, load, handlers, connection);
  socket.once('close', (code, reason) => {
    stopWatching();
    protocol
      .leave(connection)
      .then(() => closed(code, String(reason)))
      .catch((error: unknown) => asFault(error, 'INTERNAL_SERVER_ERROR', report));
  });
}

type Send = (text: string) => void;

/** Returns how messages are sent to a socket: those of one turn of the loop go out as one write. */
function createSend(socket: WebSocket, reading: Reading, { unread }: Load): Send {
  const { stream } = reading;
  const written = () => unread.note(stream);
  const holdBack = oneWriteATurn(stream, written);
  const hold = readsWhileHeard(reading);
  // Pongs are ws's own answers, to pings that no protocol above it sees.
  socket.on('ping', hold);
  return (text) => {
    if (socket.readyState !== socket.OPEN) return;
    holdBack();
    socket.send(text);
    if (text.length > LONG_ANSWER) written();
    hold();
  };
}

/** Ends what a message began, and could not be answered. */
function fail(
  socket: WebSocket,
  operation: Operation | null,
  error: unknown,
  send: Send,
  report: ReportUnexpected,
): void {
  // The peer went away while it was being answered; anything else is a fault of ours.
  if (socket.readyState !== socket.OPEN) return;
  if (isUnexpectedMessage(error)) {
    socket.close(BAD_MESSAGE, 'a client does not send this message');
    return;
  }
  const told = writeFault(error, report);
  if (operation === null || isPassing(error)) closeFor(socket, 'tryAgainLater');
  else send(errorMessage(operation.id, told));
}

/** Refuses a message that the protocol has not seen. The operation alone fails, where the message says which one it is. */
function refuse(connection: Connection, text: Buffer, { code, message }: MessageRefusal, send: Send): void {
  const { socket } = connection;
  const id = topLevelString(text, 'id');
  if (id !== null && id.length <= OPERATION_ID_MAX_LENGTH) {
    countRefused(connection);
    send(errorMessage(id, fault(code, message)));
  } else if (code === 'OVERLOADED') closeFor(socket, 'tryAgainLater');
  else socket.close(MESSAGE_TOO_BIG, message.slice(0, CLOSE_REASON_MAX_LENGTH));
}

/** An operation that failed alone. */
function errorMessage(id: string, error: GraphQLError): string {
  return JSON.stringify({ id, type: 'error', payload: [withoutStatus(error)] });
}

/** graphql-ws throws it for a type of message that only servers send. It is the client's fault, and no entry in the log. */
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
