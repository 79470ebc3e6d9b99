import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { Principal } from '../../auth/principal.ts';
import { CLOSE_CODES, type CloseReason } from '../../contract/errors.ts';
import type { Results } from '../../graphql/operations/subscription.ts';
import type { Refusals } from '../operations/operation-count.ts';
import type { Message } from './messages.ts';

/** The most bytes of a message before the connection is acknowledged: enough for a token and little else. */
export const FIRST_MESSAGE_MAX_BYTES = 16 * 1024;

/** One operation of a connection, from its first message until nothing more is sent for it. */
export interface Operation {
  readonly id: string;
  /**
   * The results of a running subscription. Null for queries and mutations, and once the subscription has
   * ended.
   */
  results: Results | null;
  /** Resolves when the operation has ended. */
  settled: Promise<void>;
}

/**
 * One websocket and the state of its client. A plain record, because its size is multiplied by the number of
 * connections.
 */
export interface Connection {
  readonly socket: WebSocket;
  readonly stream: Socket;
  /** The `Authorization` header of the upgrade request. */
  readonly authorization: string | undefined;
  /** Null until the connection is acknowledged. The protocol accepts no operation before that. */
  principal: Principal | null;
  maxMessageBytes: number;
  /** The message that is being handed to the protocol, and the operation that it starts. */
  message: Message | null;
  beginning: Operation | null;
  /** Operations that have not ended, by id. */
  readonly operations: Map<string, Operation>;
  /** The number of open subscriptions. */
  subscriptions: number;
  /** Null until an operation is refused. */
  refusals: Refusals | null;
}

/** Creates a connection that is not acknowledged and has no operations. */
export function createConnection(
  socket: WebSocket,
  stream: Socket,
  authorization: string | undefined,
): Connection {
  return {
    socket,
    stream,
    authorization,
    principal: null,
    maxMessageBytes: FIRST_MESSAGE_MAX_BYTES,
    message: null,
    beginning: null,
    operations: new Map(),
    subscriptions: 0,
    refusals: null,
  };
}

/** Closes a socket with the close code and text for this reason. */
export function closeFor(socket: WebSocket, reason: CloseReason): void {
  socket.close(CLOSE_CODES[reason].code, CLOSE_CODES[reason].reason);
}
