import { LRUCache } from 'lru-cache';
import { attempt } from '../../lib/attempt.ts';
import { fetchFailure } from '../../lib/fetch-failure.ts';

/** The outcome of a request. */
export type Answer =
  | {
      readonly kind: 'answered';
      readonly status: number;
      /** The parsed JSON. Null if the body is not JSON. */
      readonly body: unknown;
      readonly text: string;
      /** Identifies the request to Fly's support. */
      readonly requestId: string | null;
      readonly retryAfter: string | null;
    }
  /** No answer, or half of one: it is unknown whether anything was done. */
  | { readonly kind: 'silent'; readonly reason: string };

/** One request to one of Fly's APIs. */
export interface Request {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly url: URL;
  readonly body?: unknown;
  /** Requests about one app share its affinity cookie: with it Fly reads what it has just written. */
  readonly app?: string;
}

/** Sends a request once. Never rejects. */
export type Send = (request: Request, signal: AbortSignal) => Promise<Answer>;

const AFFINITY = 'fly_flaps_affinity';
const APPS_REMEMBERED = 10_000;

/** Creates a sender with these credentials. `requestMs` limits one request, `maxAnswerBytes` its answer. */
export function createSend(token: string, limits: { requestMs: number; maxAnswerBytes: number }): Send {
  const authorization = authorizationOf(token);
  const affinities = new LRUCache<string, string>({ max: APPS_REMEMBERED });

  function headersOf({ body, app }: Request): Record<string, string> {
    const affinity = app === undefined ? undefined : affinities.get(app);
    return {
      authorization,
      accept: 'application/json',
      'user-agent': 'runfeed',
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(affinity !== undefined && { cookie: `${AFFINITY}=${affinity}` }),
    };
  }

  function keepAffinity(app: string | undefined, cookies: readonly string[]): void {
    if (app === undefined) return;
    const value = cookies.map((cookie) => /^fly_flaps_affinity=([^;]*)/.exec(cookie)?.[1]).find(Boolean);
    if (value !== undefined) affinities.set(app, value);
  }

  return async (request, signal) => {
    const controller = new AbortController();
    const abort = () => controller.abort();
    const timer = setTimeout(abort, limits.requestMs);
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    try {
      const response = await fetch(request.url, {
        method: request.method,
        headers: headersOf(request),
        // Following a redirect would pass the token on.
        redirect: 'manual',
        signal: controller.signal,
        ...(request.body !== undefined && { body: JSON.stringify(request.body) }),
      });
      keepAffinity(request.app, response.headers.getSetCookie());
      const text = await readText(response, limits.maxAnswerBytes);
      return {
        kind: 'answered',
        status: response.status,
        body: attempt((): unknown => JSON.parse(text)),
        text,
        requestId: response.headers.get('fly-request-id'),
        retryAfter: response.headers.get('retry-after'),
      };
    } catch (error) {
      return {
        kind: 'silent',
        reason: controller.signal.aborted ? 'no response in time' : fetchFailure(error),
      };
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    }
  };
}

/** Fly's own tokens have their own scheme. They may be given with or without it. */
function authorizationOf(token: string): string {
  if (/^(FlyV1|Bearer) /.test(token)) return token;
  return /^fm\d[a-z]?_/.test(token) ? `FlyV1 ${token}` : `Bearer ${token}`;
}

async function readText(response: Response, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw new Error(`the answer is larger than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
