import { once } from 'node:events';
import type { ExecutionResult, GraphQLError } from 'graphql';
import { isPassing, type ReportUnexpected, withoutStatus } from '../../graphql/errors/faults.ts';
import type { Operations } from '../../graphql/operations/operations.ts';
import type { Results } from '../../graphql/operations/subscription.ts';
import { withNext } from '../../lib/cancellable.ts';
import type { Load } from '../load/load.ts';
import { withinLength, writeFault } from '../operations/answers.ts';
import { enterSubscription } from '../operations/subscription-request.ts';
import { closeFor } from './connection.ts';
import { pumpFeed } from './feed-pump.ts';
import { countRefused, type SocketRequest } from './requests.ts';

/** What a subscription on a websocket needs. */
export interface SubscriptionOptions {
  readonly operations: Operations;
  readonly load: Load;
  readonly report: ReportUnexpected;
}

/**
 * Starts a subscription and returns its results, which end with it. Throws OVERLOADED if there is no room. A thrown fault
 * closes the socket so that the client reconnects: see `fail` in websocket.ts.
 */
export async function subscribeOn(request: SocketRequest, options: SubscriptionOptions): Promise<Results> {
  const leave = enter(request, options.load);
  try {
    const results = await open(request, options);
    request.operation.results = results;
    return cutBySocket(request, results, options.report, leave);
  } catch (error) {
    leave();
    throw error;
  }
}

/**
 * Counts one more subscription. Returns the function to call once when it has ended. Throws OVERLOADED if
 * there is no room.
 */
function enter(request: SocketRequest, load: Load): () => void {
  const connection = request.socketConnection;
  let leave: () => void;
  try {
    leave = enterSubscription(load, request, connection.stream, connection.subscriptions);
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

async function open(request: SocketRequest, { operations, load }: SubscriptionOptions): Promise<Results> {
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
  { operation, socketConnection: { socket } }: SocketRequest,
  results: Results,
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
