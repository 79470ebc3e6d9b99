import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { GraphQLError } from 'graphql';
import { type WebSocket, WebSocketServer } from 'ws';
import { REQUEST_MAX_BYTES } from '../config/limits.ts';
import { CLOSE_CODES, type CloseReason } from '../contract/errors.ts';
import { asFault, fault, isPassing, withoutStatus } from '../graphql/faults.ts';
import { writeFault } from './answers.ts';
import { createBrake } from './brake.ts';
import { watchLiveness } from './liveness.ts';
import { type Handled, type MessageRefusal, takeMessages } from './messages.ts';
import { type Counted, createOperationCount } from './operation-count.ts';
import {
  createProtocol,
  type Incoming,
  OPERATION_ID_MAX_LENGTH,
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
/** A longer answer is counted at once, and not only when the turn of the loop ends. */
const LONG_ANSWER = 64 * 1024;
/** The protocol's close code for a message that it does not know. */
const BAD_MESSAGE = 4400;
/** A close frame has room for 123 bytes. */
const CLOSE_REASON_MAX_LENGTH = 123;
/** The protocol's close code for a message that is too big (RFC 6455, section 7.4.1), as ws uses it. */
const MESSAGE_TOO_BIG = 1009;

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
    handleProtocols: (offered) => (offered.has('graphql-transport-ws') ? 'graphql-transport-ws' : false),
  });
  return {
    upgrade: (request, stream, head) =>
      sockets.handleUpgrade(request, stream, head, (socket) =>
        serve(socket, stream, options, request.headers.authorization),
      ),
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
  options: WebsocketOptions,
  authorization: string | undefined,
): void {
  // A frame that is too big or broken is reported here before ws closes the socket by itself.
  socket.on('error', () => {});
  // Each of its operations may wait for room, or for the socket to close.
  stream.setMaxListeners(0);
  socket.setMaxListeners(0);
  const { report, load } = options;
  const { unread } = load;
  const written = () => unread.note(stream);
  const holdBack = oneWriteATurn(stream, written);
  const brake = createBrake(socket);
  const hold = readsWhileHeard(brake, stream);
  const stopWatching = watchLiveness(socket, stream, unread);
  const closeFor = (reason: CloseReason) =>
    socket.close(CLOSE_CODES[reason].code, CLOSE_CODES[reason].reason);
  const count = createOperationCount(() => closeFor('tryAgainLater'));
  // Pongs are ws's own answers, to pings that no protocol above it sees.
  socket.on('ping', hold);
  const send = (text: string) => {
    if (socket.readyState !== socket.OPEN) return;
    holdBack();
    socket.send(text);
    if (text.length > LONG_ANSWER) written();
    hold();
  };
  /** An operation that failed alone. */
  const sendError = (id: string, error: GraphQLError) =>
    send(JSON.stringify({ id, type: 'error', payload: [withoutStatus(error)] }));

  let handleText: (text: string) => Promise<void> = async () => {};
  let begun: string | null = null;
  let incoming: Incoming = { bytes: 0, release: () => {}, waits: () => {} };
  // Not async: while an operation runs, its frame would keep the message in memory.
  function handle(message: Buffer, release: () => void): Handled {
    if (count.knownFull() && topLevelString(message, 'type') === 'complete') count.ended();
    const counted = count.begin();
    begun = null;
    let start: Promise<void> | null = null;
    const waits = (turn: Promise<void>) => {
      // A turn that is refused is the operation's own error; the next message only waits until that is settled.
      start = turn.catch(() => {});
    };
    incoming = { bytes: message.length, release, waits };
    const handled = handleText(String(message));
    // Whether it began an operation is known by now: up to there nothing is waited for.
    return { start, end: answered(handled, begun, counted) };
  }

  async function answered(
    handled: Promise<void>,
    operationId: string | null,
    counted: Counted,
  ): Promise<void> {
    try {
      await handled;
    } catch (error) {
      // The peer went away while it was being answered; anything else is a fault of ours.
      if (socket.readyState !== socket.OPEN) return;
      if (isUnexpectedMessage(error)) {
        socket.close(BAD_MESSAGE, 'a client does not send this message');
        return;
      }
      const told = writeFault(error, report);
      if (operationId === null || isPassing(error)) closeFor('tryAgainLater');
      else sendError(operationId, told);
    } finally {
      counted.end();
    }
  }

  /** The operation alone fails, where the message says which one it is. */
  function refuse(message: Buffer, { code, message: words }: MessageRefusal): void {
    const id = topLevelString(message, 'id');
    if (id !== null && id.length <= OPERATION_ID_MAX_LENGTH) {
      count.refused();
      sendError(id, fault(code, words));
    } else if (code === 'OVERLOADED') closeFor('tryAgainLater');
    else socket.close(MESSAGE_TOO_BIG, words.slice(0, CLOSE_REASON_MAX_LENGTH));
  }

  const began = (operationId: string) => {
    begun = operationId;
    return incoming;
  };
  const protocol = createProtocol(options, socket, stream, authorization, count, began);
  const closed = protocol.opened(
    {
      protocol: socket.protocol,
      send: (text) => {
        send(text);
        // Not the write itself is waited for but room for more: a peer that does not read holds up its own answers.
        return stream.writableNeedDrain ? drained(stream) : undefined;
      },
      close: (code, reason) => socket.close(code, reason),
      onMessage: (listener) => {
        handleText = listener;
      },
    },
    {},
  );
  takeMessages(socket, stream, load, brake, {
    handle,
    refuse,
    cut: () => {
      closeFor('tryAgainLater');
      // A socket that is closing would otherwise go on collecting the message.
      brake.hold();
      const late = setTimeout(() => socket.terminate(), CUT_GRACE_MS);
      socket.once('close', () => clearTimeout(late));
    },
  });
  socket.once('close', (code, reason) => {
    stopWatching();
    protocol
      .leave()
      .then(() => closed(code, String(reason)))
      .catch((error: unknown) => asFault(error, 'INTERNAL_SERVER_ERROR', report));
  });
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
    socket.close(CLOSE_CODES[reason].code, CLOSE_CODES[reason].reason);
  });
}
