import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import {
  type ExecutionArgs,
  type ExecutionResult,
  type GraphQLError,
  getOperationAST,
  OperationTypeNode,
} from 'graphql';
import { makeServer } from 'graphql-ws';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Authenticate } from '../auth/authenticate.ts';
import type { Principal } from '../auth/principal.ts';
import { REQUEST_MAX_BYTES } from '../config/limits.ts';
import { CLOSE_CODES, type CloseReason } from '../contract/errors.ts';
import type { Services } from '../graphql/context.ts';
import { asFault, fault, isPassing, type ReportUnexpected, withoutStatus } from '../graphql/faults.ts';
import type { OperationRequest } from '../graphql/operation-request.ts';
import type { Operations } from '../graphql/operations.ts';
import { publicSchema } from '../graphql/schema.ts';
import { openSharedFeed } from '../graphql/shared-feed.ts';
import { openSharedUpdates } from '../graphql/shared-updates.ts';
import { withNext } from '../lib/cancellable.ts';
import { withinLength, writeFault } from './answers.ts';
import { createBrake } from './brake.ts';
import { documentTurn } from './document-turn.ts';
import { pumpFeed } from './feed-pump.ts';
import type { InFlight } from './in-flight.ts';
import { watchLiveness } from './liveness.ts';
import type { Load } from './load.ts';
import { type Handled, type MessageRefusal, takeMessages } from './messages.ts';
import {
  type Counted,
  createOperationCount,
  MAX_OPERATIONS,
  type OperationCount,
} from './operation-count.ts';
import { subscribePatiently } from './subscribe.ts';
import { assertSubscriptionRequest, declaredVariables } from './subscription-request.ts';
import { drained, oneWriteATurn, readsWhileHeard } from './unsent.ts';
import { topLevelString } from './weight.ts';

/** Every message of an operation repeats its id: a long one would make one event many megabytes. */
const OPERATION_ID_MAX_LENGTH = 256;
/** Node's longest timer. Whoever stays so long connects once more than needed. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** How long a socket has to answer our close frame. */
const CLOSE_GRACE_MS = 2_000;
/** How long the close frame has to reach a peer that is in the middle of a message. */
const CUT_GRACE_MS = 1_000;
/** Parts of a message in ws's hands: packets of one byte would weigh far more than the message. */
const MAX_PARTS = 16 * 1024;
/** A longer answer is counted at once, and not only when the turn of the loop ends. */
const LONG_ANSWER = 64 * 1024;
/** A close frame has room for 123 bytes. */
const CLOSE_REASON_MAX_LENGTH = 123;
/** The protocol's close code for a message that is too big (RFC 6455, section 7.4.1), as ws uses it. */
const MESSAGE_TOO_BIG = 1009;

/** What the websocket transport needs to answer operations. */
export interface WebsocketOptions {
  readonly operations: Operations;
  readonly inFlight: InFlight;
  readonly services: Services;
  readonly authenticate: Authenticate;
  readonly report: ReportUnexpected;
  readonly load: Load;
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

/** The message that is being handled. */
interface Incoming {
  readonly bytes: number;
  /** Stops counting its bytes. */
  readonly release: () => void;
  /** The next messages wait until the promise settles, so that operations begin in order. */
  readonly waits: (turn: Promise<void>) => void;
}

/** What one operation has to tell, as graphql-ws takes it. */
type Results = AsyncGenerator<ExecutionResult, void, undefined>;

/** The protocol of one socket. */
function createProtocol(
  { operations, inFlight, services, authenticate, report, load }: WebsocketOptions,
  socket: WebSocket,
  stream: Socket,
  authorization: string | undefined,
  count: OperationCount,
  began: (operationId: string) => Incoming,
) {
  /** Null until the connection is acknowledged; the protocol takes no operation before that. */
  let principal: Principal | null = null;
  const gone = new AbortController();
  const running = new Set<Results>();
  socket.once('close', () => {
    gone.abort();
    // graphql-ws ends those that it knows of. It forgets one whose id is given again before it has started.
    for (const results of running) results.return().catch(() => {});
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
      let found: Principal;
      try {
        found = await authenticate(given === undefined ? undefined : String(given));
      } catch {
        // Closes with 4403.
        return false;
      }
      principal = found;
      if (found.kind === 'runner') closeAt(socket, found.expiresAt);
      return true;
    },
    // Nothing may throw here: graphql-ws would close the socket, and with it every other operation on it.
    onSubscribe: async ({ subscriptions }, operationId, { query, operationName, variables }) => {
      const message = began(operationId);
      const refused = (errors: readonly GraphQLError[]) => {
        count.refused();
        return errors;
      };
      try {
        if (!principal) {
          return refused([fault('UNAUTHENTICATED', 'a token is needed: send it in connection_init')]);
        }
        if (count.isFull(() => Object.keys(subscriptions).length)) {
          const message = `more than ${MAX_OPERATIONS} operations on one socket: open another`;
          return refused([fault('OVERLOADED', message)]);
        }
        if (operationId.length > OPERATION_ID_MAX_LENGTH) {
          const message = `an operation's id has at most ${OPERATION_ID_MAX_LENGTH} characters`;
          return refused([fault('BAD_USER_INPUT', message)]);
        }
        const turn = documentTurn(operations, load, stream, query);
        if (turn) {
          message.waits(turn);
          await turn;
        }
        const document = operations.parse(query);
        const errors = operations.validate(document);
        // Yoga adds its statuses to the very errors that both transports share.
        if (errors.length > 0) return refused(errors.map(withoutStatus));
        const operation = getOperationAST(document, operationName);
        if (!operation) {
          return refused([
            fault('BAD_USER_INPUT', 'operationName must name one of the operations in the document'),
          ]);
        }
        const subscribes = operation.operation === OperationTypeNode.SUBSCRIPTION;
        if (subscribes) {
          assertSubscriptionRequest(message.bytes);
          message.release();
        }
        const request = {
          document,
          operationName,
          variableValues: subscribes ? declaredVariables(operation, variables) : variables,
          contextValue: { ...services, principal, operationId, connection: socket },
          bytes: message.bytes,
          owner: stream,
        };
        return { ...request, schema: publicSchema };
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
    subscribe: async (args) => {
      const request = args as ExecutionArgs &
        OperationRequest & { readonly contextValue: { readonly operationId: string } };
      const feed = (await openSharedFeed(request)) ?? openSharedUpdates(request, operations);
      if (feed)
        return keep(
          pumpFeed(feed, request.contextValue.operationId, socket, stream, () => load.unread.note(stream)),
        );
      // A fault thrown here closes the socket so that the client comes back; see where its messages are handled.
      const results = await subscribePatiently(operations, request, gone.signal);
      return keep(Symbol.asyncIterator in results ? results : refusal(results));
    },
  });
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
  socket: WebSocket,
  report: ReportUnexpected,
  onEnd: () => void,
): Results {
  const cut = withNext<ExecutionResult>(results, async () => {
    try {
      const result = await results.next();
      if (!result.done) return { done: false, value: withinLength(result.value) };
      onEnd();
      return result;
    } catch (error) {
      onEnd();
      if (!isPassing(error)) throw writeFault(error, report);
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
      start = turn;
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
  const closed = createProtocol(options, socket, stream, authorization, count, began).opened(
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
    closed(code, String(reason)).catch((error: unknown) => asFault(error, 'INTERNAL_SERVER_ERROR', report));
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
