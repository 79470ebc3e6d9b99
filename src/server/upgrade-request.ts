import { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

/**
 * A request that Node hands to the `upgrade` listener only when it asks for a websocket; with any other `Upgrade`, such
 * as h2c from `curl --http2` and Java's HttpClient, it is answered as if it had none (RFC 9110, 7.8). Node before 24.9
 * has no option for this: with a listener it takes every `Upgrade` as accepted. It asks the request's `upgrade` after it
 * has read the headers, and `http.createServer({ IncomingMessage })` is its documented way to decide that property.
 *
 * It is also the one way to stop Node's parser: of the thousands of requests that one packet can hold, it would make
 * objects of all, even once their socket is destroyed. A request too many is therefore an upgrade, too, which the
 * listener ends.
 */
export class UpgradeRequest extends IncomingMessage {
  /** What Node's parser found. Declared only: Node's constructor sets `upgrade` before fields would be initialised. */
  declare private found: unknown;
  /** Whether its connection has too many requests without an answer. */
  readonly isTooMany: boolean;

  constructor(socket: Socket) {
    super(socket);
    this.isTooMany = countParsed(socket) > MAX_UNANSWERED;
  }

  get upgrade(): boolean {
    if (this.isTooMany) return true;
    return this.found === true && (this.method === 'CONNECT' || asksForWebsocket(this));
  }

  set upgrade(found: unknown) {
    this.found = found;
  }
}

function asksForWebsocket({ method, headers }: IncomingMessage): boolean {
  return method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket';
}

/** Requests of one connection without an answer. Node keeps them all while the first one takes its time. */
const MAX_UNANSWERED = 64;

const unanswered = new WeakMap<Socket, number>();

/** Counts one more request of a connection; returns how many have no answer now. */
function countParsed(socket: Socket): number {
  const count = (unanswered.get(socket) ?? 0) + 1;
  unanswered.set(socket, count);
  return count;
}

/** Counts the answer to a request of a connection. */
export function countAnswered(socket: Socket): void {
  unanswered.set(socket, (unanswered.get(socket) ?? 1) - 1);
}

/** How many requests of a connection have no answer. */
export function unansweredOf(socket: Socket): number {
  return unanswered.get(socket) ?? 0;
}
