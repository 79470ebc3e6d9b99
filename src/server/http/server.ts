import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import { type Load, OTHER_COST, PROBE_COST } from '../load/load.ts';
import { leaveHttp, openHttpConnection, PacedRequest } from './connections.ts';
import { MAX_HEADERS } from './guard.ts';
import { isProbe } from './probes.ts';
import { respondFault } from './respond.ts';

type Written = ((error: Error | null | undefined) => void) | undefined;

/** Takes over the connection of a websocket request. `head` contains the bytes after the request. */
export type UpgradeListener = (request: IncomingMessage, stream: Socket, head: Buffer) => void;

/** Creates an HTTP server that reads connections in parts and starts requests in event-loop turns. */
export function createHttpServer(load: Load, answer: RequestListener, upgrade: UpgradeListener): Server {
  const begin = (request: PacedRequest, response: ServerResponse, answer: RequestListener) => {
    const { socket } = request;
    if (request.ignoresUpgrade) response.shouldKeepAlive = false;
    // The whole answer has been written.
    response.on('prefinish', () => {
      request.answered();
      load.unread.note(socket);
      if (!request.complete) discardBody(request);
    });
    const turn = startingTurn(load, request);
    // Rejects once the connection is closed.
    if (turn)
      turn.then(
        () => answer(request, response),
        () => {},
      );
    else answer(request, response);
  };
  /** Updates the count of unread bytes after every write. */
  class CountedResponse extends ServerResponse<PacedRequest> {
    override write(chunk: unknown, ...rest: [Written?] | [BufferEncoding, Written?]): boolean {
      const hasRoom = super.write(chunk, ...(rest as [BufferEncoding, Written?]));
      if (this.socket) load.unread.note(this.socket);
      return hasRoom;
    }
  }
  // Requests that Node would answer itself take the same path as all others, and are counted.
  const http = createServer(
    { IncomingMessage: PacedRequest, ServerResponse: CountedResponse, requireHostHeader: false },
    (request, response) => begin(request, response, answer),
  );
  http.on('connection', (socket) => openHttpConnection(socket, load));
  http.on('checkExpectation', (request, response) =>
    // Node creates every request with the class above, but declares this listener for its own.
    begin(request as PacedRequest, response, refuseExpectation),
  );
  http.on('upgrade', (request, stream, head) =>
    upgrade(request, stream as Socket, leaveHttp(stream as Socket, head)),
  );
  // Node drops all further headers. One more than allowed lets the guard see that there are too many.
  http.maxHeadersCount = MAX_HEADERS + 1;
  return http;
}

function startingTurn(
  { posts, others }: Load,
  { method, url, socket }: IncomingMessage,
): Promise<void> | null {
  if (method === 'POST') return posts.take(socket, 1);
  return others.take(socket, isProbe(url) ? PROBE_COST : OTHER_COST);
}

/**
 * Refuses an unsupported `Expect` header. Node handles 100-continue, the only expectation in use on the web.
 */
function refuseExpectation(_request: IncomingMessage, response: ServerResponse): void {
  respondFault(response, 417, 'BAD_REQUEST', 'unsupported Expect header: only 100-continue is allowed');
}

/** Reads and discards the rest of a body, so that its connection can serve the next request. */
function discardBody(request: IncomingMessage): void {
  request.resume();
  // Immediately, because Node would otherwise drop the body in a way that bypasses the count of its bytes.
  request.read(0);
}
