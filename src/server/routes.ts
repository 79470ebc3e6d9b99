import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import type { Authenticate } from '../auth/authenticate.ts';
import { LOOPBACK_OPERATOR, type Principal } from '../auth/principal.ts';
import { InvalidToken } from '../auth/tokens.ts';
import type { Store } from '../store/store.ts';
import { graphiqlPage } from './graphiql.ts';
import type { Guard } from './guard.ts';
import type { InFlight } from './in-flight.ts';
import type { GraphqlListener } from './plain-post.ts';
import { respondFault, respondJson } from './respond.ts';
import type { WebsocketTransport } from './websocket.ts';

/** What answers plain HTTP. */
export interface Routes {
  readonly guard: Guard;
  readonly authenticate: Authenticate;
  readonly graphql: GraphqlListener;
  readonly store: Store;
  readonly inFlight: InFlight;
  readonly log: Logger;
  /** The run that GraphiQL's tabs follow on a demo's server; null on any other. */
  readonly demoRunId: string | null;
}

/** Answers every request: the guard first, then by path. */
export function route(routes: Routes): RequestListener {
  const { guard, store, inFlight, log, demoRunId } = routes;
  return (request, response) => {
    const refusal = guard(request.headers);
    if (refusal) return respondFault(response, 403, 'FORBIDDEN', refusal);
    const path = request.url?.split('?', 1)[0];
    if (path === '/graphql') return void handleGraphql(routes, request, response);
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return respondFault(response, 404, 'NOT_FOUND', `${request.method} goes to /graphql`);
    }
    switch (path) {
      case '/health':
        return respondJson(response, 200, { status: 'ok' });
      case '/ready':
        return void respondReady(response, store, inFlight, log);
      case '/':
        response.writeHead(302, { location: '/graphiql' }).end();
        return;
      case '/graphiql':
        response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(graphiqlPage(demoRunId));
        return;
      default:
        return respondFault(
          response,
          404,
          'NOT_FOUND',
          'there are /graphql, /graphiql, /health and /ready here',
        );
    }
  };
}

async function handleGraphql(
  { authenticate, graphql, inFlight }: Routes,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (inFlight.draining()) {
    response.setHeader('connection', 'close');
    respondFault(response, 503, 'SHUTTING_DOWN', 'the server is stopping: send the same to its successor');
    return;
  }
  const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  // Anything else could be posted by a form of any web page without asking first.
  if (request.method === 'POST' && type !== 'application/json') {
    respondFault(response, 415, 'UNSUPPORTED_MEDIA_TYPE', 'send content-type: application/json');
    return;
  }
  const { authorization } = request.headers;
  // Most requests have none, and need not wait for a turn of the loop.
  if (authorization === undefined) return graphql(request, response, LOOPBACK_OPERATOR);
  let principal: Principal;
  try {
    principal = await authenticate(authorization);
  } catch (error) {
    const message = error instanceof InvalidToken ? error.message : 'no such token';
    return respondFault(response, 401, 'UNAUTHENTICATED', message);
  }
  graphql(request, response, principal);
}

async function respondReady(
  response: ServerResponse,
  store: Store,
  inFlight: InFlight,
  log: Logger,
): Promise<void> {
  if (inFlight.draining()) return respondJson(response, 503, { status: 'stopping' });
  try {
    await store.ping();
    respondJson(response, 200, { status: 'ready' });
  } catch (err) {
    log.warn({ err }, 'not ready: the store does not answer');
    respondJson(response, 503, { status: 'store unavailable' });
  }
}

/** What answers requests for a websocket. */
export interface Upgrades {
  readonly guard: Guard;
  readonly websocket: WebsocketTransport;
  readonly inFlight: InFlight;
}

/** Hands a request for a websocket to the transport, or refuses it. */
export function upgrade(
  { guard, websocket, inFlight }: Upgrades,
  request: IncomingMessage,
  stream: Socket,
  head: Buffer,
): void {
  // Until ws takes the socket over, nobody else listens for its errors.
  stream.on('error', () => stream.destroy());
  const refuse = (status: string) =>
    stream.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  if (guard(request.headers)) refuse('403 Forbidden');
  else if (request.url?.split('?', 1)[0] !== '/graphql') refuse('404 Not Found');
  else if (inFlight.draining()) refuse('503 Service Unavailable');
  else websocket.upgrade(request, stream, head);
}
