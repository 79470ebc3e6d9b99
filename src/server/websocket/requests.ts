import { setImmediate as nextTurn } from 'node:timers/promises';
import { type DocumentNode, type GraphQLError, getOperationAST, OperationTypeNode } from 'graphql';
import type { SubscribePayload } from 'graphql-ws';
import type { Services } from '../../graphql/context.ts';
import { fault, overloaded, withoutStatus } from '../../graphql/errors/faults.ts';
import type { Operations } from '../../graphql/operations/operations.ts';
import type { OperationRequest } from '../../graphql/operations/request.ts';
import { publicSchema } from '../../graphql/schema.ts';
import type { Load } from '../load/load.ts';
import { requestTurn } from '../operations/document-turn.ts';
import { countRefusal, MAX_OPERATIONS } from '../operations/operation-count.ts';
import { declaredVariables, weighSubscription } from '../operations/subscription-request.ts';
import { type Connection, closeFor, type Operation } from './connection.ts';
import { type Message, releaseMessage } from './messages.ts';

/**
 * The longest operation id, in UTF-16 units. Every message of an operation repeats the id, so a long one
 * would turn one event into many megabytes.
 */
export const OPERATION_ID_MAX_LENGTH = 256;
/** A request of a socket, as graphql-ws passes it on. */
export type SocketRequest = OperationRequest & {
  readonly schema: typeof publicSchema;
  readonly socketConnection: Connection;
  readonly operation: Operation;
  readonly weight: number;
};

/**
 * Waits for everything that must precede an operation: the end of the previous operation with its id, and the
 * event-loop turns that its request needs. Returns null if the operation may start now. Throws or rejects
 * with the reason for a refusal.
 */
export function beginningTurn(
  { operations, load }: { readonly operations: Operations; readonly load: Load },
  connection: Connection,
  operation: Operation,
  subscriptions: Record<string, unknown>,
  { bytes }: Message,
  query: string,
): Promise<void> | null {
  const { id } = operation;
  if (id.length > OPERATION_ID_MAX_LENGTH) {
    throw fault('BAD_USER_INPUT', `an operation id must not exceed ${OPERATION_ID_MAX_LENGTH} characters`);
  }
  const enterAndRead = () => {
    if (connection.operations.size >= MAX_OPERATIONS) {
      throw fault('OVERLOADED', `more than ${MAX_OPERATIONS} operations on one socket: open another socket`);
    }
    connection.operations.set(id, operation);
    return requestTurn(operations, load, connection.stream, { bytes, query });
  };
  const begin = () => {
    // Some operations that the client has ended may need one more event-loop turn to end here.
    if (connection.operations.size >= MAX_OPERATIONS)
      return nextTurn().then(() => enterAndRead() ?? undefined);
    return enterAndRead();
  };
  const beginInTurn = () => {
    const turn = load.operations.take(connection.stream, 1);
    if (!turn) return begin();
    return turn.then(
      () => begin() ?? undefined,
      // The connection is closed.
      () => {
        throw overloaded('too many operations are waiting');
      },
    );
  };
  const before = connection.operations.get(id);
  if (!before) return beginInTurn();
  // The client has ended the previous operation. graphql-ws identifies operations only by id, so it would take
  // the later end of the previous one for the end of this one. Done before any wait: until then, the previous
  // one takes this one's entry for its own and does not end.
  delete subscriptions[id];
  return before.settled.then(() => {
    subscriptions[id] = null;
    return beginInTurn() ?? undefined;
  });
}

/**
 * Returns the request of a valid document, which graphql-ws keeps until the operation has ended. Throws if it
 * is refused.
 */
export function requestOf(
  { services, load }: { readonly services: Services; readonly load: Load },
  connection: Connection,
  operation: Operation,
  message: Message,
  document: DocumentNode,
  payload: SubscribePayload,
): SocketRequest {
  const { operationName, variables } = payload;
  const { principal, socket, stream } = connection;
  if (!principal) throw fault('UNAUTHENTICATED', 'a token is required: send it in connection_init');
  const definition = getOperationAST(document, operationName);
  if (!definition) {
    throw fault('BAD_USER_INPUT', 'operationName must name one of the operations in the document');
  }
  const subscribes = definition.operation === OperationTypeNode.SUBSCRIPTION;
  const weight = subscribes && message.text ? weighSubscription(message.text) : 0;
  if (subscribes) {
    releaseMessage(message, load);
  }
  // graphql-ws keeps the message until the operation ends.
  Object.assign(payload, { query: '', variables: undefined, extensions: undefined });
  return {
    schema: publicSchema,
    document,
    operationName,
    variableValues: declaredVariables(definition, variables),
    contextValue: { ...services, principal, connection: socket },
    bytes: message.bytes,
    owner: stream,
    socketConnection: connection,
    operation,
    weight,
  };
}

/** Counts a refused operation. Closes a socket that is refused too often. */
export function countRefused(connection: Connection): void {
  connection.refusals ??= { count: 0, since: performance.now() };
  if (countRefusal(connection.refusals)) closeFor(connection.socket, 'tryAgainLater');
}

/** Counts a refused operation. Returns its errors as a websocket sends them. */
export function refused(connection: Connection, errors: readonly GraphQLError[]): readonly GraphQLError[] {
  countRefused(connection);
  return errors.map(withoutStatus);
}
