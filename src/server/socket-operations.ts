import { once } from 'node:events';
import type { Socket } from 'node:net';
import {
  type ExecutionArgs,
  type ExecutionResult,
  type GraphQLError,
  getOperationAST,
  OperationTypeNode,
} from 'graphql';
import { makeServer } from 'graphql-ws';
import type { WebSocket } from 'ws';
import type { Authenticate } from '../auth/authenticate.ts';
import type { Principal } from '../auth/principal.ts';
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
import { requestTurn } from './document-turn.ts';
import { pumpFeed } from './feed-pump.ts';
import type { InFlight } from './in-flight.ts';
import type { Load } from './load.ts';
import { MAX_OPERATIONS, type OperationCount } from './operation-count.ts';
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

/** The message that is being handled. */
export interface Incoming {
  readonly bytes: number;
  /** Stops counting its bytes. */
  readonly release: () => void;
  /** The next messages wait until the promise settles, so that operations begin in order. */
  readonly waits: (turn: Promise<void>) => void;
}

/** An operation of a socket. */
type SocketRequest = OperationRequest & { readonly contextValue: { readonly operationId: string } };

/** What one operation has to tell, as graphql-ws takes it. */
type Results = AsyncGenerator<ExecutionResult, void, undefined>;

/** Answers the operations of one socket, as graphql-ws calls for them. `began` is told that a message begins one. */
export function createProtocol(
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
  /** Ends what is running, a few in each turn of the loop: many sockets may close at once. */
  async function leave(): Promise<void> {
    gone.abort();
    // graphql-ws ends those that it knows of. It forgets one whose id is given again before it has started.
    for (const results of running) {
      const turn = load.waking.take(stream, 1);
      if (turn) await turn;
      results.return().catch(() => {});
    }
  }
  /** Keeps results where the socket's end reaches them, until they have ended. */
  function keep(results: Results, leave: () => void): Results {
    running.add(results);
    return cutBySocket(results, socket, report, () => {
      running.delete(results);
      leave();
    });
  }
  let subscriptions = 0;
  /** Takes room for one more subscription; returns how to give it back. The first one is counted as its connection. */
  function enter(requestBytes: number): () => void {
    const room = load.subscriptions;
    const share = subscriptions < FEW_SUBSCRIPTIONS ? 1 : SHARE_OF_MANY;
    const leave = subscriptions === 0 ? () => {} : room.take(SUBSCRIPTION_BYTES + requestBytes, share);
    if (!leave) {
      count.refused();
      throw overloaded('too many subscriptions are open');
    }
    subscriptions += 1;
    let isIn = true;
    return () => {
      if (isIn) subscriptions -= 1;
      isIn = false;
      leave();
    };
  }
  async function open(request: SocketRequest): Promise<Results> {
    const feed = (await openSharedFeed(request)) ?? openSharedUpdates(request, operations);
    if (feed) {
      const { operationId } = request.contextValue;
      return pumpFeed(feed, operationId, socket, stream, load);
    }
    const results = await subscribePatiently(operations, request, gone.signal);
    return Symbol.asyncIterator in results ? results : refusal(results);
  }
  const server = makeServer({
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
        const turn = requestTurn(operations, load, stream, { bytes: message.bytes, query });
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
      const request = args as ExecutionArgs & SocketRequest;
      // A fault thrown here closes the socket so that the client comes back; see where its messages are handled.
      const leave = enter(request.bytes ?? 0);
      try {
        return keep(await open(request), leave);
      } catch (error) {
        leave();
        throw error;
      }
    },
  });
  return { opened: server.opened, leave };
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
