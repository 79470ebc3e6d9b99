import { once } from 'node:events';
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
import type { Authenticate } from '../auth/authenticate.ts';
import { CLOSE_CODES } from '../contract/errors.ts';
import type { Services } from '../graphql/context.ts';
import {
  asFault,
  fault,
  isPassing,
  overloaded,
  type ReportUnexpected,
  withoutStatus,
} from '../graphql/faults.ts';
import type { OperationRequest } from '../graphql/operation-request.ts';
import type { Operations } from '../graphql/operations.ts';
import { publicSchema } from '../graphql/schema.ts';
import { openSharedFeed } from '../graphql/shared-feed.ts';
import { openSharedUpdates } from '../graphql/shared-updates.ts';
import { withNext } from '../lib/cancellable.ts';
import { withinLength, writeFault } from './answers.ts';
import { type Connection, closeFor, type Results } from './connection.ts';
import { requestTurn } from './document-turn.ts';
import { pumpFeed } from './feed-pump.ts';
import type { InFlight } from './in-flight.ts';
import type { Load } from './load.ts';
import { type Message, releaseMessage } from './messages.ts';
import { countRefusal, isFull, MAX_OPERATIONS } from './operation-count.ts';
import { subscribePatiently } from './subscribe.ts';
import { assertSubscriptionRequest, declaredVariables } from './subscription-request.ts';

/** Every message of an operation repeats its id: a long one would make one event many megabytes. */
export const OPERATION_ID_MAX_LENGTH = 256;
/** The longest timer that Node has. A token that is valid for longer ends its connection this early. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** What an open subscription takes at most, beside its request. */
const SUBSCRIPTION_BYTES = 16 * 1024;
/** A socket with more of them may not use up the room for others' first ones. */
const FEW_SUBSCRIPTIONS = 32;
const SHARE_OF_MANY = 3 / 4;

/** What the websocket transport needs to answer operations. */
export interface WebsocketOptions {
  readonly operations: Operations;
  readonly inFlight: InFlight;
  readonly services: Services;
  readonly authenticate: Authenticate;
  readonly report: ReportUnexpected;
  readonly load: Load;
}

/** An operation of a socket, as graphql-ws passes it on. */
type SocketRequest = OperationRequest & {
  readonly schema: typeof publicSchema;
  readonly socketConnection: Connection;
  readonly message: Message;
};

/** The subprotocol graphql-transport-ws with our operations. */
export interface Protocol {
  /** Speaks with a connection; returns what is to be called when that has closed. */
  opened(adapter: WebSocketAdapter, connection: Connection): (code: number, reason: string) => Promise<void>;
  /** Ends what is running on a connection. */
  leave(connection: Connection): Promise<void>;
}

/** Makes the protocol, for all sockets. */
export function createProtocol(options: WebsocketOptions): Protocol {
  const { operations, inFlight, authenticate, report, load } = options;
  const server = makeServer<ConnectionInitMessage['payload'], Connection>({
    // Browsers can set no header on a websocket, so a token comes in the first message, too.
    onConnect: async ({ connectionParams, extra: connection }) => {
      const given =
        connectionParams?.authorization ?? connectionParams?.Authorization ?? connection.authorization;
      try {
        connection.principal = await authenticate(given === undefined ? undefined : String(given));
      } catch {
        // Closes with 4403.
        return false;
      }
      const { principal, socket } = connection;
      if (principal.kind === 'runner') closeAt(socket, principal.expiresAt);
      return true;
    },
    // Nothing may throw here: graphql-ws would close the socket, and with it every other operation on it.
    onSubscribe: async ({ subscriptions, extra: connection }, operationId, payload) => {
      // Set until the message has been handed over, so it must be read before this waits for anything.
      const message = connection.message!;
      message.operationId = operationId;
      const refused = (errors: readonly GraphQLError[]) => {
        refuseOperation(connection, message);
        return errors;
      };
      try {
        if (isFull(connection.count, () => Object.keys(subscriptions).length)) {
          const words = `more than ${MAX_OPERATIONS} operations on one socket: open another`;
          return refused([fault('OVERLOADED', words)]);
        }
        if (operationId.length > OPERATION_ID_MAX_LENGTH) {
          const words = `an operation's id has at most ${OPERATION_ID_MAX_LENGTH} characters`;
          return refused([fault('BAD_USER_INPUT', words)]);
        }
        const { query } = payload;
        const turn = requestTurn(operations, load, connection.stream, { bytes: message.bytes, query });
        if (turn) {
          message.turn = turn;
          await turn;
        }
        const document = operations.parse(query);
        const errors = operations.validate(document);
        // Yoga adds its statuses to the very errors that both transports share.
        if (errors.length > 0) return refused(errors.map(withoutStatus));
        return requestOf(options, connection, message, document, payload);
      } catch (error) {
        return refused([withoutStatus(asFault(error, 'BAD_REQUEST', report))]);
      }
    },
    execute: async (args) => {
      try {
        const request = args as ExecutionArgs & OperationRequest;
        return withoutStatuses(withinLength(await inFlight.track(() => operations.execute(request))));
      } catch (error) {
        return { errors: [asFault(error, 'INTERNAL_SERVER_ERROR', report)] };
      }
    },
    // A fault thrown here closes the socket so that the client comes back; see where its messages are handled.
    subscribe: async (args) => {
      const request = args as ExecutionArgs & SocketRequest;
      const connection = request.socketConnection;
      const leave = enter(connection, request.message, load);
      try {
        const results = await open(options, request);
        connection.running.add(results);
        return cutBySocket(results, connection, report, leave);
      } catch (error) {
        leave();
        throw error;
      }
    },
  });
  return {
    opened: server.opened,
    leave: async ({ running, stream }) => {
      // graphql-ws ends those that it knows of. It forgets one whose id is given again before it has started.
      for (const results of running) {
        // A few in each turn of the loop: many sockets may close at once.
        const turn = load.waking.take(stream, 1);
        if (turn) await turn;
        results.return().catch(() => {});
      }
    },
  };
}

/** Counts a refused operation. A socket that is refused too often is closed. */
export function refuseOperation({ count, socket }: Connection, message: Message | null): void {
  if (message) message.refused = true;
  if (countRefusal(count)) closeFor(socket, 'tryAgainLater');
}

/** What a valid document asks for, as graphql-ws keeps it until the operation has ended. Throws where it is refused. */
function requestOf(
  { services, load }: WebsocketOptions,
  connection: Connection,
  message: Message,
  document: DocumentNode,
  { operationName, variables }: SubscribePayload,
): SocketRequest {
  const { principal, socket, stream } = connection;
  if (!principal) throw fault('UNAUTHENTICATED', 'a token is needed: send it in connection_init');
  const operation = getOperationAST(document, operationName);
  if (!operation) {
    throw fault('BAD_USER_INPUT', 'operationName must name one of the operations in the document');
  }
  const subscribes = operation.operation === OperationTypeNode.SUBSCRIPTION;
  if (subscribes) {
    assertSubscriptionRequest(message.bytes);
    releaseMessage(message, load);
  }
  return {
    schema: publicSchema,
    document,
    operationName,
    variableValues: subscribes ? declaredVariables(operation, variables) : variables,
    contextValue: { ...services, principal, connection: socket },
    bytes: message.bytes,
    owner: stream,
    socketConnection: connection,
    message,
  };
}

/**
 * Takes room for one more subscription; returns how to give it back, to be called once. The first one of a connection is
 * counted with it.
 */
function enter(connection: Connection, message: Message, { subscriptions: room }: Load): () => void {
  const share = connection.subscriptions < FEW_SUBSCRIPTIONS ? 1 : SHARE_OF_MANY;
  const isFirst = connection.subscriptions === 0;
  const giveBack = isFirst ? () => {} : room.take(SUBSCRIPTION_BYTES + message.bytes, share);
  if (!giveBack) {
    refuseOperation(connection, message);
    throw overloaded('too many subscriptions are open');
  }
  connection.subscriptions += 1;
  return () => {
    connection.subscriptions -= 1;
    giveBack();
  };
}

async function open({ operations, load }: WebsocketOptions, request: SocketRequest): Promise<Results> {
  const { socket, stream } = request.socketConnection;
  const feed = (await openSharedFeed(request)) ?? openSharedUpdates(request, operations);
  if (feed) return pumpFeed(feed, request.message.operationId ?? '', socket, stream, load);
  const gone = new AbortController();
  const leave = () => gone.abort();
  socket.once('close', leave);
  try {
    const results = await subscribePatiently(operations, request, gone.signal);
    return Symbol.asyncIterator in results ? results : refusal(results);
  } finally {
    socket.off('close', leave);
  }
}

function withoutStatuses(result: ExecutionResult): ExecutionResult {
  return result.errors ? { ...result, errors: result.errors.map(withoutStatus) } : result;
}

/** A subscription that never began. Thrown, because a result would be followed by `complete`: that is the run's end. */
// biome-ignore lint/correctness/useYield: there is nothing to yield
async function* refusal({ errors }: ExecutionResult): Results {
  throw errors?.[0] && withoutStatus(errors[0]);
}

/**
 * An `error` message ends an operation for good, so a fault that will pass closes the socket instead, with a code
 * after which clients come back.
 */
function cutBySocket(
  results: Results,
  { socket, running }: Connection,
  report: ReportUnexpected,
  onEnd: () => void,
): Results {
  const end = () => {
    if (running.delete(results)) onEnd();
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
      // The operation ends with its socket, and without a word of its own.
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

/** Closes a socket whose token is not good any longer, with a code after which clients come back with another one. */
function closeAt(socket: WebSocket, time: number): void {
  const { code, reason } = CLOSE_CODES.forbidden;
  const timer = setTimeout(
    () => socket.close(code, reason),
    Math.min(Math.max(0, time - Date.now()), MAX_TIMER_MS),
  );
  timer.unref();
  socket.once('close', () => clearTimeout(timer));
}
