import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import { beginRequest, leaveHttp, openHttpConnection, PacedRequest } from './http-connections.ts';
import type { Load } from './load.ts';
import { respondFault } from './respond.ts';

/** Headers of a request that are read. Browsers and proxies send 20 to 40. */
const MAX_HEADERS = 128;

/** Takes over the connection of a request for a websocket, with what came after the request. */
export type UpgradeListener = (request: IncomingMessage, stream: Socket, head: Buffer) => void;

/** Creates an HTTP server whose connections are read in parts, and whose requests begin in turns of the loop. */
export function createHttpServer(load: Load, answer: RequestListener, upgrade: UpgradeListener): Server {
  const begin = (request: IncomingMessage, response: ServerResponse, answer: RequestListener) => {
    const { socket } = request;
    const answered = beginRequest(request);
    if (!answered) {
      socket.destroy();
      return;
    }
    // All of the answer is written.
    response.on('prefinish', () => {
      answered();
      load.unread.note(socket);
      if (!request.complete) discardBody(request);
    });
    const turns = request.method === 'POST' ? load.posts : load.others;
    const turn = turns.take(socket, 1);
    // Rejected once the connection is closed.
    if (turn)
      turn.then(
        () => answer(request, response),
        () => {},
      );
    else answer(request, response);
  };
  // What Node would answer by itself goes the same way as everything else, and is counted.
  const http = createServer(
    { IncomingMessage: PacedRequest, requireHostHeader: false },
    (request, response) => begin(request, response, answer),
  );
  http.on('connection', (socket) => openHttpConnection(socket, load));
  http.on('checkExpectation', (request, response) => begin(request, response, refuseExpectation));
  http.on('upgrade', (request, stream, head) =>
    upgrade(request, stream as Socket, leaveHttp(stream as Socket, head)),
  );
  http.maxHeadersCount = MAX_HEADERS;
  return http;
}

/** Refuses what a request expects; Node itself knows 100-continue, and nothing else is expected on the web. */
function refuseExpectation(_request: IncomingMessage, response: ServerResponse): void {
  respondFault(response, 417, 'BAD_REQUEST', 'Expect may only be 100-continue');
}

/** Reads what is left of a body that nobody wants, so that its connection serves the next request. */
function discardBody(request: IncomingMessage): void {
  request.resume();
  // At once: Node drops the body else by a way on which its bytes are not counted.
  request.read(0);
}
