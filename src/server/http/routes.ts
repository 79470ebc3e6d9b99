import { type IncomingMessage, type RequestListener, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { CHALLENGE_HEADER, PROOF_HEADER, type Prove } from '../../auth/admin-proof.ts';
import type { Authenticate } from '../../auth/authenticate.ts';
import type { Principal } from '../../auth/principal.ts';
import { InvalidToken } from '../../auth/tokens.ts';
import { lineOf } from '../../lib/text/error-line.ts';
import type { Store } from '../../store/store.ts';
import type { GraphiqlPage } from '../graphiql/page.ts';
import { writeInPieces } from '../load/unsent.ts';
import type { InFlight } from '../operations/in-flight.ts';
import type { WebsocketTransport } from '../websocket/websocket.ts';
import type { GraphqlListener } from './graphql.ts';
import type { Guard } from './guard.ts';
import { isProbe } from './probes.ts';
import { NO_SNIFFING, respondFault, respondJson } from './respond.ts';
import type { UpgradeListener } from './server.ts';

/** What {@link route} needs to answer HTTP requests. */
export interface Routes {
  readonly guard: Guard;
  readonly authenticate: Authenticate;
  readonly prove: Prove;
  readonly graphql: GraphqlListener;
  readonly graphiql: () => Promise<GraphiqlPage>;
  readonly store: Store;
  readonly inFlight: InFlight;
}

/**
 * Creates the listener for all HTTP requests. It checks the guard first, except for probes, then routes by
 * path.
 */
export function route(routes: Routes): RequestListener {
  const { guard, graphiql, store, inFlight } = routes;
  return (request, response) => {
    const path = request.url?.split('?', 1)[0];
    const refusal = isProbe(path) ? null : guard(request, path);
    if (refusal) return respondFault(response, refusal.status, refusal.code, refusal.message);
    if (path === '/graphql') return handleGraphql(routes, request, response);
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return respondFault(response, 404, 'NOT_FOUND', `${request.method} is only supported at /graphql`);
    }
    switch (path) {
      case '/health':
        return respondJson(response, 200, { status: 'ok' });
      case '/ready':
        return void respondReady(response, store, inFlight);
      case '/':
        response.writeHead(302, { location: '/graphiql', ...NO_SNIFFING }).end();
        return;
      case '/graphiql':
        return void respondPage(response, graphiql);
      default:
        return respondFault(
          response,
          404,
          'NOT_FOUND',
          'unknown path: use /graphql, /graphiql, /health or /ready',
        );
    }
  };
}

function handleGraphql(
  { authenticate, prove, graphql, inFlight }: Routes,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  if (inFlight.draining()) {
    response.setHeader('connection', 'close');
    respondFault(response, 503, 'SHUTTING_DOWN', 'the server is shutting down: retry in a moment');
    return;
  }
  const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  // A form on any web page could post any other type without a preflight request.
  if (request.method === 'POST' && type !== 'application/json') {
    respondFault(response, 415, 'UNSUPPORTED_MEDIA_TYPE', 'send content-type: application/json');
    return;
  }
  const encoding = request.headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  if (request.method === 'POST' && encoding !== 'identity') {
    const message = 'send the body without content-encoding: compressed bodies are not supported';
    respondFault(response, 415, 'UNSUPPORTED_MEDIA_TYPE', message);
    return;
  }
  const refuse = (error: unknown) => {
    const message = error instanceof InvalidToken ? error.message : 'invalid token';
    response.setHeader('www-authenticate', 'Bearer');
    const { localAddress, localPort } = request.socket;
    const end = { address: localAddress, port: localPort };
    const proof = prove(request.headers[CHALLENGE_HEADER], end);
    if (proof !== null) response.setHeader(PROOF_HEADER, proof);
    respondFault(response, 401, 'UNAUTHENTICATED', message);
  };
  let found: Principal | Promise<Principal>;
  try {
    found = authenticate(request.headers.authorization);
  } catch (error) {
    refuse(error);
    return;
  }
  const answer = (principal: Principal) => graphql(request, response, principal);
  if (found instanceof Promise) void found.then(answer, refuse);
  // Awaiting a principal that is already known would cost every post a promise.
  else answer(found);
}

async function respondPage(response: ServerResponse, graphiql: Routes['graphiql']): Promise<void> {
  let page: GraphiqlPage;
  try {
    page = await graphiql();
  } catch (error) {
    const message = `cannot render the GraphiQL page: ${lineOf(error)}`;
    return respondFault(response, 500, 'INTERNAL_SERVER_ERROR', message);
  }
  const { headers, body } = page;
  response.writeHead(200, { ...headers, ...NO_SNIFFING });
  await writeInPieces(response, body);
  response.end();
}

/**
 * Reports whether a write would succeed. The reason for a failure is only in the log, because anyone may
 * request this.
 */
async function respondReady(response: ServerResponse, store: Store, inFlight: InFlight): Promise<void> {
  if (inFlight.draining()) return respondJson(response, 503, { status: 'stopping' });
  const isReady = await store.ping().then(
    () => true,
    () => false,
  );
  if (isReady) respondJson(response, 200, { status: 'ready' });
  else respondJson(response, 503, { status: 'store unavailable' });
}

/** How long a client has to read why its websocket was refused. */
const REFUSED_MS = 1_000;

/** What {@link upgradeTo} needs to answer websocket requests. */
export interface Upgrades {
  readonly guard: Guard;
  readonly websocket: WebsocketTransport;
  readonly inFlight: InFlight;
}

/** Creates the listener that passes websocket requests to the transport, or refuses them. */
export function upgradeTo(upgrades: Upgrades): UpgradeListener {
  return (request, stream, head) => upgrade(upgrades, request, stream, head);
}

function upgrade(
  { guard, websocket, inFlight }: Upgrades,
  request: IncomingMessage,
  stream: Socket,
  head: Buffer,
): void {
  // Until ws takes over the socket, nothing else listens for its errors.
  stream.on('error', () => stream.destroy());
  const refuse = (status: string) => {
    stream.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    // Node has given up the socket, so nothing else reads it or notices that the client is gone.
    stream.resume();
    const late = setTimeout(() => stream.destroy(), REFUSED_MS);
    stream.once('close', () => clearTimeout(late));
  };
  const path = request.url?.split('?', 1)[0];
  const refusal = guard(request, path);
  if (refusal) refuse(`${refusal.status} ${STATUS_CODES[refusal.status]}`);
  else if (path !== '/graphql') refuse('404 Not Found');
  else if (inFlight.draining()) refuse('503 Service Unavailable');
  else websocket.upgrade(request, stream, head);
}
