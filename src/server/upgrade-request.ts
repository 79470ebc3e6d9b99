import { IncomingMessage } from 'node:http';

/**
 * A request that Node hands to the `upgrade` listener only when it asks for a websocket; with any other `Upgrade`, such
 * as h2c from `curl --http2` and Java's HttpClient, it is answered as if it had none (RFC 9110, 7.8). Node before 24.9
 * has no option for this: with a listener it takes every `Upgrade` as accepted. It asks the request's `upgrade` after it
 * has read the headers, and `http.createServer({ IncomingMessage })` is its documented way to decide that property.
 */
export class UpgradeRequest extends IncomingMessage {
  /** What Node's parser found. Declared only: Node's constructor sets `upgrade` before fields would be initialised. */
  declare private found: unknown;

  get upgrade(): boolean {
    return this.found === true && (this.method === 'CONNECT' || asksForWebsocket(this));
  }

  set upgrade(found: unknown) {
    this.found = found;
  }
}

function asksForWebsocket({ method, headers }: IncomingMessage): boolean {
  return method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket';
}
