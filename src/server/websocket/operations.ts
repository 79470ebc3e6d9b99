import type { ExecutionArgs } from 'graphql';
import { type ConnectionInitMessage, makeServer, type WebSocket as WebSocketAdapter } from 'graphql-ws';
import type { WebSocket } from 'ws';
import type { Authenticate } from '../../auth/authenticate.ts';
import { CLOSE_CODES } from '../../contract/errors.ts';
import type { Services } from '../../graphql/context.ts';
import { asFault, type ReportUnexpected } from '../../graphql/errors/faults.ts';
import type { Operations } from '../../graphql/operations/operations.ts';
import type { Load } from '../load/load.ts';
import { withinLength, withoutStatuses } from '../operations/answers.ts';
import { executeOperation } from '../operations/execute.ts';
import type { InFlight } from '../operations/in-flight.ts';
import type { Connection, Operation } from './connection.ts';
import { beginningTurn, refused, requestOf, type SocketRequest } from './requests.ts';
import { subscribeOn } from './results.ts';

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

/** The subprotocol graphql-transport-ws with runfeed's operations. */
export interface Protocol {
  /** Starts the protocol on a connection. Returns the function to call when the connection has closed. */
  opened(adapter: WebSocketAdapter, connection: Connection): (code: number, reason: string) => Promise<void>;
  /** Ends all operations that are running on a connection. */
  leave(connection: Connection): Promise<void>;
}

/** Creates the protocol. One instance serves all sockets. */
export function createProtocol(options: WebsocketOptions): Protocol {
  const { operations, authenticate, report, load } = options;
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
      const request = args as ExecutionArgs & SocketRequest;
      try {
        const result = await executeOperation(request, request.socketConnection.stream, options);
        return withoutStatuses(withinLength(result));
      } catch (error) {
        return { errors: [asFault(error, 'INTERNAL_SERVER_ERROR', report)] };
      }
    },
    subscribe: (args) => subscribeOn(args as ExecutionArgs & SocketRequest, options),
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
