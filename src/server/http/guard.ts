import type { IncomingMessage } from 'node:http';
import { isLoopback } from '../../lib/loopback.ts';

/** Why a request is refused before anything is executed. */
export interface GuardRefusal {
  readonly status: 400 | 403 | 431;
  readonly code: 'BAD_REQUEST' | 'FORBIDDEN';
  readonly message: string;
}

/** The parts of a request that the guard reads. */
export type GuardedRequest = Pick<IncomingMessage, 'headers' | 'rawHeaders' | 'method'>;

/**
 * Decides whether a request for a path (without its query string) is refused. Returns null if it is allowed.
 */
export type Guard = (request: GuardedRequest, path: string | undefined) => GuardRefusal | null;

/** The most headers of a request. Browsers and proxies send 20 to 40. */
export const MAX_HEADERS = 128;

/** Pages that links on other sites may open. They execute nothing. */
const PAGES: readonly (string | undefined)[] = ['/', '/graphiql'];

/**
 * Creates the guard against requests from other sites. Loopback is not access control: every page that a
 * browser on this machine opens can send requests to it. Three headers, which pages cannot change, identify
 * such requests. `Host` reveals a foreign name that resolves to this machine (DNS rebinding). `Origin`
 * reveals the page's site, but browsers omit it from plain GETs. `Sec-Fetch-Site` covers those, and pages
 * that other local servers serve on other ports of `localhost` (`same-site`).
 */
export function createGuard(publicUrl: URL | null): Guard {
  return (request, path) => {
    const { headers } = request;
    // The headers that identify the sender may be among those that Node has dropped.
    if (request.rawHeaders.length / 2 > MAX_HEADERS) return tooManyHeaders();
    if (hostsOf(request) !== 1) return badRequest('send exactly one Host header');
    const host = headers.host?.toLowerCase() ?? '';
    const isPublic = publicUrl !== null && withoutDefaultPort(host, publicUrl.protocol) === publicUrl.host;
    const local = withoutDefaultPort(host, 'http:');
    if (!isPublic && !isLoopbackHost(host)) {
      return forbidden('Host must be a loopback address or the host of PUBLIC_URL');
    }
    const origin = headers.origin === undefined ? null : httpOrigin(headers.origin);
    const isOwn = origin === publicUrl?.origin || (!isPublic && origin === `http://${local}`);
    if (origin !== null && !isOwn) {
      return forbidden(
        'Origin is a different site: only pages of this server may send requests from a browser',
      );
    }
    return isFromElsewhere(request) && !opensPage(request, path)
      ? forbidden(
          'Sec-Fetch-Site shows a request from another site or port: only pages of this server may send requests from a browser',
        )
      : null;
  };
}

/** Node keeps the first of several `Host` headers and drops the rest; RFC 9112 requires status 400. */
function hostsOf({ rawHeaders }: GuardedRequest): number {
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() === 'host') count += 1;
  }
  return count;
}

function isLoopbackHost(host: string): boolean {
  return isLoopback(host.replace(/:\d+$/, ''));
}

/** A host with its scheme's default port is the same host as without the port. */
function withoutDefaultPort(host: string, protocol: string): string {
  return host.replace(protocol === 'https:' ? /:443$/ : /:80$/, '');
}

/** Some websocket clients send the websocket's own address as `Origin`. */
function httpOrigin(origin: string): string {
  return origin.replace(/^ws(?=s?:\/\/)/, 'http');
}

function isFromElsewhere({ headers }: GuardedRequest): boolean {
  const site = headers['sec-fetch-site'];
  return site !== undefined && site !== 'same-origin' && site !== 'none';
}

function opensPage({ method, headers }: GuardedRequest, path: string | undefined): boolean {
  return (
    method === 'GET' &&
    headers['sec-fetch-mode'] === 'navigate' &&
    headers['sec-fetch-dest'] === 'document' &&
    PAGES.includes(path)
  );
}

function tooManyHeaders(): GuardRefusal {
  return { status: 431, code: 'BAD_REQUEST', message: `a request may have at most ${MAX_HEADERS} headers` };
}

function badRequest(message: string): GuardRefusal {
  return { status: 400, code: 'BAD_REQUEST', message };
}

function forbidden(message: string): GuardRefusal {
  return { status: 403, code: 'FORBIDDEN', message };
}
