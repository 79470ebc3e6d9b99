import type { Socket } from 'node:net';
import type { ExecutionResult } from 'graphql';
import type { WebSocket } from 'ws';
import type { Principal } from '../auth/principal.ts';
import { CLOSE_CODES, type CloseReason } from '../contract/errors.ts';
import type { Message } from './messages.ts';
import { createOperationCount, type OperationCount } from './operation-count.ts';

/** What one operation has to tell, as graphql-ws takes it. */
export type Results = AsyncGenerator<ExecutionResult, void, undefined>;

/** One websocket, and what is known of its client. A record: what it holds is multiplied by all who are connected. */
export interface Connection {
  readonly socket: WebSocket;
  readonly stream: Socket;
  /** The header of the upgrade request. */
  readonly authorization: string | undefined;
  /** Null until the connection is acknowledged; the protocol takes no operation before that. */
  principal: Principal | null;
  readonly count: OperationCount;
  /** The message that is being handed to the protocol. */
  message: Message | null;
  /** Subscriptions that are open. */
  subscriptions: number;
  /** The results of operations that have not ended. */
  readonly running: Set<Results>;
}

/** A connection without an operation. */
export function createConnection(
  socket: WebSocket,
  stream: Socket,
  authorization: string | undefined,
): Connection {
  const count = createOperationCount();
  const running = new Set<Results>();
  return { socket, stream, authorization, principal: null, count, message: null, subscriptions: 0, running };
}

/** Closes a socket with the code and the words for this reason. */
export function closeFor(socket: WebSocket, reason: CloseReason): void {
  socket.close(CLOSE_CODES[reason].code, CLOSE_CODES[reason].reason);
}
