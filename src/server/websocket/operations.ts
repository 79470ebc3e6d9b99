import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  type GraphQLError,
  getOperationAST,
  OperationTypeNode,
} from 'graphql';
import {
  type ConnectionInitMessage,
  makeServer,
  type SubscribePayload,
  type WebSocket as WebSocketAdapter,
} from 'graphql-ws';
import type { WebSocket } from 'ws';
import type { Authenticate } from '../../auth/authenticate.ts';
import { CLOSE_CODES } from '../../contract/errors.ts';
import type { Services } from '../../graphql/context.ts';
import {
  asFault,
  fault,
  isPassing,
  overloaded,
  type ReportUnexpected,
  withoutStatus,
} from '../../graphql/errors/faults.ts';
import type { Operations } from '../../graphql/operations/operations.ts';
import type { OperationRequest } from '../../graphql/operations/request.ts';
import type { Results } from '../../graphql/operations/subscription.ts';
import { publicSchema } from '../../graphql/schema.ts';
import { withNext } from '../../lib/cancellable.ts';
import type { Load } from '../load/load.ts';
import { withinLength, withoutStatuses, writeFault } from '../operations/answers.ts';
import { requestTurn } from '../operations/document-turn.ts';
import type { InFlight } from '../operations/in-flight.ts';
import { countRefusal, MAX_OPERATIONS } from '../operations/operation-count.ts';
import {
  declaredVariables,
  enterSubscription,
  type KeptRequest,
  weighSubscription,
} from '../operations/subscription-request.ts';
import { type Connection, closeFor, type Operation } from './connection.ts';
import { pumpFeed } from './feed-pump.ts';
import { type Message, releaseMessage } from './messages.ts';

/**
 * The longest operation id, in UTF-16 units. Every message of an operation repeats the id, so a long one
 * would turn one event into many megabytes.
 */
export const OPERATION_ID_MAX_LENGTH = 256;
/** Node's longest timer. A connection whose token is valid for longer is closed after this time. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** What the websocket transport needs to answer operations. */
export interface WebsocketOptions {
  readonly operations: Operations;
  readonly inFlight: InFlight;
  readonly services: Services;
  readonly authenticate: Authenticate;
  readonly report: ReportUnexpected;
  readonly load: Load;
}

/** A request of a socket, as graphql-ws passes it on. */
type SocketRequest = OperationRequest & {
  readonly schema: typeof publicSchema;
  readonly socketConnection: Connection;
  readonly operation: Operation;
  readonly weight: number;
};

/** The subprotocol graphql-transport-ws with runfeed's operations. */
export interface Protocol {
  /** Starts the protocol on a connection. Returns the function to call when the connection has closed. */
  opened(adapter: WebSocketAdapter, connection: Connection): (code: number, reason: string) => Promise<void>;
  /** Ends all operations that are running on a connection. */
  leave(connection: Connection): Promise<void>;
}

/** Creates the protocol. One instance serves all sockets. */
export function createProtocol(options: WebsocketOptions): Protocol {
  const { operations, inFlight, authenticate, report, load } = options;
  const server = makeServer<ConnectionInitMessage['payload'], Connection>({
    // Browsers cannot set headers on a websocket, so the first message may carry a token, too.
    onConnect: async (context) => {
      const { connectionParams: params, extra: connection } = context;
      const given = params?.authorization ?? params?.Authorization ?? connection.authorization;
      // graphql-ws would keep the parameters as long as the connection.
      Object.assign(context, { connectionParams: undefined });
      if (given !== undefined && typeof given !== 'string') return false;
      try {
        connection.principal = await authenticate(given);
      } catch {
        // Closes the socket with 4403.
        return false;
      }
      const { principal, socket } = connection;
      // From now on only ws's own limit applies.
      connection.maxMessageBytes = Number.POSITIVE_INFINITY;
      if (principal.kind === 'runner') closeAt(socket, principal.expiresAt);
      return true;
    },
    // Nothing may throw here, because graphql-ws would close the socket and with it every other operation on
    // it.
    onSubscribe: async (context, id, payload) => {
      const { extra: connection, subscriptions } = context;
      // `message` is set only while the message is being handed over, so it must be read before the first
      // await.
      const message = connection.message!;
      const operation: Operation = { id, results: null, settled: Promise.resolve() };
      connection.beginning = operation;
      try {
        const turn = beginningTurn(options, connection, operation, subscriptions, message, payload.query);
        message.turn = turn;
        if (turn) await turn;
        const document = operations.parse(payload.query);
        const errors = operations.validate(document);
        // Yoga adds HTTP statuses to these error objects, which both transports share.
        if (errors.length > 0) return refused(connection, errors);
        return requestOf(options, connection, operation, message, document, payload);
      } catch (error) {
        return refused(connection, [asFault(error, 'BAD_REQUEST', report)]);
      } finally {
        message.text = null;
      }
    },
    execute: async (args) => {
      let leave: (() => void) | null = null;
      try {
        leave = inFlight.enter();
        const request = args as ExecutionArgs & OperationRequest;
        return withoutStatuses(withinLength(await operations.execute(request)));
      } catch (error) {
        return { errors: [asFault(error, 'INTERNAL_SERVER_ERROR', report)] };
      } finally {
        leave?.();
      }
    },
    // A fault thrown here closes the socket so that the client reconnects: see `fail` in websocket.ts.
    subscribe: async (args) => {
      const request = args as ExecutionArgs & SocketRequest;
      const { socketConnection: connection, operation } = request;
      const leave = enter(connection, request, load);
      try {
        operation.results = await open(options, request);
        return cutBySocket(operation, operation.results, connection.socket, report, leave);
      } catch (error) {
        leave();
        throw error;
      }
    },
  });
  return {
    opened: server.opened,
    leave: async ({ operations, stream }) => {
      for (const { results } of operations.values()) {
        // A few per event-loop turn, because many sockets may close at once.
        const turn = load.waking.take(stream, 1);
        if (turn) await turn;
        results?.return().catch(() => {});
      }
    },
  };
}

/**
 * Waits for everything that must precede an operation: the end of the previous operation with its id, and the
 * event-loop turns that its request needs. Returns null if the operation may start now. Throws or rejects
 * with the reason for a refusal.
 */
function beginningTurn(
  { operations, load }: WebsocketOptions,
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

/** Counts a refused operation. Closes a socket that is refused too often. */
export function countRefused(connection: Connection): void {
  connection.refusals ??= { count: 0, since: performance.now() };
  if (countRefusal(connection.refusals)) closeFor(connection.socket, 'tryAgainLater');
}

function refused(connection: Connection, errors: readonly GraphQLError[]): readonly GraphQLError[] {
  countRefused(connection);
  return errors.map(withoutStatus);
}

/**
 * Returns the request of a valid document, which graphql-ws keeps until the operation has ended. Throws if it
 * is refused.
 */
function requestOf(
  { services, load }: WebsocketOptions,
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
    // graphql-ws keeps the message until the operation ends.
    Object.assign(payload, { query: '', variables: undefined, extensions: undefined });
  }
  return {
    schema: publicSchema,
    document,
    operationName,
    variableValues: subscribes ? declaredVariables(definition, variables) : variables,
    contextValue: { ...services, principal, connection: socket },
    bytes: message.bytes,
    owner: stream,
    socketConnection: connection,
    operation,
    weight,
  };
}

/**
 * Counts one more subscription. Returns the function to call once when it has ended. Throws OVERLOADED if
 * there is no room.
 */
function enter(connection: Connection, kept: KeptRequest, load: Load): () => void {
  let leave: () => void;
  try {
    leave = enterSubscription(load, kept, connection.stream, connection.subscriptions);
  } catch (error) {
    countRefused(connection);
    throw error;
  }
  connection.subscriptions += 1;
  return () => {
    connection.subscriptions -= 1;
    leave();
  };
}

async function open({ operations, load }: WebsocketOptions, request: SocketRequest): Promise<Results> {
  const { socket, stream } = request.socketConnection;
  let leave = () => {};
  const gone = () => {
    const controller = new AbortController();
    leave = () => controller.abort();
    socket.once('close', leave);
    // The socket may have closed while the operation waited for its turn.
    if (socket.readyState === socket.CLOSED) leave();
    return controller.signal;
  };
  try {
    const subscription = await operations.subscribe(request, { takesShared: true, gone });
    switch (subscription.kind) {
      case 'shared':
        return pumpFeed(subscription.feed, request.operation.id, socket, stream, load);
      case 'results':
        return subscription.results;
      case 'refused':
        return refusal(subscription.errors);
    }
  } finally {
    socket.off('close', leave);
  }
}

/**
 * Reports a subscription that did not start. It throws, because `complete` would follow a result, and that
 * means the end of the run.
 */
// biome-ignore lint/correctness/useYield: there is nothing to yield
async function* refusal([error]: readonly GraphQLError[]): Results {
  throw error && withoutStatus(error);
}

/**
 * Closes the socket for a temporary fault, with a code after which clients reconnect: an `error` message
 * would end the operation for good.
 */
function cutBySocket(
  operation: Operation,
  results: Results,
  socket: WebSocket,
  report: ReportUnexpected,
  onEnd: () => void,
): Results {
  const end = () => {
    if (operation.results === null) return;
    operation.results = null;
    onEnd();
  };
  const cut = withNext<ExecutionResult>(results, async () => {
    try {
      const result = await results.next();
      if (!result.done) return { done: false, value: withinLength(result.value) };
      end();
      return result;
    } catch (error) {
      end();
      if (!isPassing(error)) throw writeFault(error, report);
      const closed = once(socket, 'close');
      closeFor(socket, 'tryAgainLater');
      // The operation ends with its socket and sends nothing more.
      await closed;
      return { done: true, value: undefined };
    }
  });
  return {
    ...cut,
    return: () => {
      end();
      return cut.return();
    },
  };
}

/** Closes a socket when its token expires, with a code after which clients reconnect with another token. */
function closeAt(socket: WebSocket, time: number): void {
  const { code, reason } = CLOSE_CODES.forbidden;
  const timer = setTimeout(
    () => socket.close(code, reason),
    Math.min(Math.max(0, time - Date.now()), MAX_TIMER_MS),
  );
  timer.unref();
  socket.once('close', () => clearTimeout(timer));
}
