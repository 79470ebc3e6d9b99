import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { type ExecutionResult, getOperationAST } from 'graphql';
import { makeServer } from 'graphql-ws';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import type { Authenticate } from '../auth/authenticate.ts';
import { LOOPBACK_OPERATOR, type Principal } from '../auth/principal.ts';
import { REQUEST_MAX_BYTES } from '../config/limits.ts';
import { CLOSE_CODES, type CloseReason } from '../contract/errors.ts';
import type { Services } from '../graphql/context.ts';
import { asFault, fault, isPassing, type ReportUnexpected, withoutStatus } from '../graphql/faults.ts';
import type { OperationRequest, Operations } from '../graphql/operations.ts';
import { publicSchema } from '../graphql/schema.ts';
import { openSharedFeed } from '../graphql/shared-feed.ts';
import { openSharedUpdates } from '../graphql/shared-updates.ts';
import { withNext } from '../lib/cancellable.ts';
import { pumpFeed } from './feed-pump.ts';
import type { InFlight } from './in-flight.ts';
import { watchLiveness } from './liveness.ts';
import { subscribePatiently } from './subscribe.ts';
import { drained, oneWriteATurn, readsWhileHeard } from './unsent.ts';

/** Operations at once on one socket; past it the answer is OVERLOADED. */
const MAX_OPERATIONS = 1_000;
/** Every message of an operation repeats its id: a long one would make one event many megabytes. */
const OPERATION_ID_MAX_LENGTH = 256;
/** Node's longest timer. Whoever stays so long connects once more than needed. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** How long a socket has to answer our close frame. */
const CLOSE_GRACE_MS = 2_000;

/** What the websocket transport needs to answer operations. */
export interface WebsocketOptions {
  readonly operations: Operations;
  readonly inFlight: InFlight;
  readonly services: Services;
  readonly authenticate: Authenticate;
  readonly report: ReportUnexpected;
}

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

/** What one operation has to tell, as graphql-ws takes it. */
type Results = AsyncGenerator<ExecutionResult, void, undefined>;

/** The protocol of one socket. */
function createProtocol(
  { operations, inFlight, services, authenticate, report }: WebsocketOptions,
  socket: WebSocket,
  stream: Socket,
  authorization: string | undefined,
) {
  let principal: Principal = LOOPBACK_OPERATOR;
  const gone = new AbortController();
  const running = new Set<Results>();
  socket.once('close', () => {
    gone.abort();
    // graphql-ws ends those that it knows of. It forgets one whose id is given again before it has started.
    for (const results of running) void results.return();
  });
  /** Keeps results where the socket's end reaches them, until they have ended. */
  function keep(results: Results): Results {
    running.add(results);
    return cutBySocket(results, socket, report, () => running.delete(results));
  }
  return makeServer({
    // Browsers can set no header on a websocket, so a token comes in the first message, too.
    onConnect: async ({ connectionParams }) => {
      const given = connectionParams?.authorization ?? connectionParams?.Authorization ?? authorization;
      try {
        principal = await authenticate(given === undefined ? undefined : String(given));
      } catch {
        // Closes with 4403.
        return false;
      }
      if (principal.kind === 'runner') closeAt(socket, principal.expiresAt);
      return true;
    },
    // Nothing may throw here: graphql-ws would close the socket, and with it every other operation on it.
    onSubscribe: ({ subscriptions }, operationId, { query, operationName, variables }) => {
      try {
        if (Object.keys(subscriptions).length > MAX_OPERATIONS) {
          return [fault('OVERLOADED', `more than ${MAX_OPERATIONS} operations on one socket: open another`)];
        }
        if (operationId.length > OPERATION_ID_MAX_LENGTH) {
          const message = `an operation's id has at most ${OPERATION_ID_MAX_LENGTH} characters`;
          return [fault('BAD_USER_INPUT', message)];
        }
        const document = operations.parse(query);
        const errors = operations.validate(document);
        // Yoga adds its statuses to the very errors that both transports share.
        if (errors.length > 0) return errors.map(withoutStatus);
        if (!getOperationAST(document, operationName)) {
          return [fault('BAD_USER_INPUT', 'operationName must name one of the operations in the document')];
        }
        const request = {
          document,
          operationName,
          variableValues: variables,
          contextValue: { ...services, principal, operationId, connection: socket },
        };
        return { ...request, schema: publicSchema };
      } catch (error) {
        return [withoutStatus(asFault(error, 'BAD_REQUEST', report))];
      }
    },
    execute: async (args) => {
      try {
        return await inFlight.track(() => operations.execute(args as OperationRequest));
      } catch (error) {
        return { errors: [asFault(error, 'INTERNAL_SERVER_ERROR', report)] };
      }
    },
    subscribe: async (args) => {
      const request = args as OperationRequest & { readonly contextValue: { readonly operationId: string } };
      const feed = (await openSharedFeed(request)) ?? openSharedUpdates(request, operations);
      if (feed) return keep(pumpFeed(feed, request.contextValue.operationId, socket, stream));
      // A fault thrown here closes the socket so that the client comes back; see where its messages are handled.
      const results = await subscribePatiently(operations, request, gone.signal);
      return keep(Symbol.asyncIterator in results ? results : refusal(results));
    },
  });
}

/** A subscription that never began. Thrown, because a result would be followed by `complete`: that is the run's end. */
// biome-ignore lint/correctness/useYield: there is nothing to yield
async function* refusal({ errors }: ExecutionResult): Results {
  throw errors?.[0];
}

/**
 * An `error` message ends an operation for good, so a fault that will pass closes the socket instead, with a code
 * after which clients come back.
 */
function cutBySocket(
  results: Results,
  socket: WebSocket,
  report: ReportUnexpected,
  onEnd: () => void,
): Results {
  const cut = withNext<ExecutionResult>(results, async () => {
    try {
      const result = await results.next();
      if (result.done) onEnd();
      return result;
    } catch (error) {
      onEnd();
      if (!isPassing(error)) throw asFault(error, 'INTERNAL_SERVER_ERROR', report);
      const { code, reason } = CLOSE_CODES.tryAgainLater;
      const closed = once(socket, 'close');
      socket.close(code, reason);
      // The operation ends with its socket, and without a word of its own.
      await closed;
      return { done: true, value: undefined };
    }
  });
  return {
    ...cut,
    return: () => {
      onEnd();
      return cut.return();
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
  const holdBack = oneWriteATurn(stream);
  const hold = readsWhileHeard(socket, stream);
  const stopWatching = watchLiveness(socket, stream);
  const closed = createProtocol(options, socket, stream, authorization).opened(
    {
      protocol: socket.protocol,
      send: (data) => {
        if (socket.readyState !== socket.OPEN) return;
        holdBack();
        socket.send(data);
        hold();
        // Not the write itself is waited for but room for more: a peer that does not read holds up its own answers.
        return stream.writableNeedDrain ? drained(stream) : undefined;
      },
      close: (code, reason) => socket.close(code, reason),
      onMessage: (handle) =>
        socket.on('message', (data: RawData) => {
          handle(String(data)).catch((error: unknown) => {
            // The peer went away while it was being answered; anything else is a fault of ours.
            if (socket.readyState !== socket.OPEN) return;
            asFault(error, 'INTERNAL_SERVER_ERROR', options.report);
            const { code, reason } = CLOSE_CODES.tryAgainLater;
            socket.close(code, reason);
          });
        }),
    },
    {},
  );
  socket.once('close', (code, reason) => {
    stopWatching();
    void closed(code, String(reason));
  });
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
