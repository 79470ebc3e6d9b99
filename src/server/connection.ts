import type { Socket } from 'node:net';
import type { ExecutionResult } from 'graphql';
import type { WebSocket } from 'ws';
import type { Principal } from '../auth/principal.ts';
import { CLOSE_CODES, type CloseReason } from '../contract/errors.ts';
import type { Message } from './messages.ts';
import type { Refusals } from './operation-count.ts';

/** Bytes of the messages before the connection is acknowledged: a token and little else. */
export const FIRST_MESSAGE_MAX_BYTES = 16 * 1024;

/** What one operation has to tell, as graphql-ws takes it. */
export type Results = AsyncGenerator<ExecutionResult, void, undefined>;

/** One operation of a connection, from its message until nothing is sent of it any more. */
export interface Operation {
  readonly id: string;
  /** What a subscription has to tell; null for others, and once it has ended. */
  results: Results | null;
  /** Resolves when the operation has ended. */
  settled: Promise<void>;
}

/** One websocket, and what is known of its client. A record: what it holds is multiplied by all who are connected. */
export interface Connection {
  readonly socket: WebSocket;
  readonly stream: Socket;
  /** The header of the upgrade request. */
  readonly authorization: string | undefined;
  /** Null until the connection is acknowledged; the protocol takes no operation before that. */
  principal: Principal | null;
  maxMessageBytes: number;
  /** The message that is being handed to the protocol, and the operation that it begins. */
  message: Message | null;
  beginning: Operation | null;
  /** Operations that have not ended, by their ids. */
  readonly operations: Map<string, Operation>;
  /** Subscriptions that are open. */
  subscriptions: number;
  readonly refusals: Refusals;
}

/** A connection without an operation. */
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
    refusals: { count: 0, since: 0 },
  };
}

/** Closes a socket with the code and the words for this reason. */
export function closeFor(socket: WebSocket, reason: CloseReason): void {
  socket.close(CLOSE_CODES[reason].code, CLOSE_CODES[reason].reason);
}
