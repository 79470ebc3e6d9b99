/** What the codes of failed connections mean to people. */
const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused: is a server running there?',
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was closed',
  UND_ERR_SOCKET: 'the connection was closed',
  ENOTFOUND: 'no host has this name',
  EAI_AGAIN: 'its name cannot be looked up now',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  ETIMEDOUT: 'no connection in time',
  UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
  UND_ERR_HEADERS_TIMEOUT: 'no answer in time',
  UND_ERR_BODY_TIMEOUT: 'no answer in time',
};

/** Why a `fetch` failed, for people. Its own message says only that it did, and hides why in the cause. */
export function fetchFailure(error: unknown): string {
  if (!(error instanceof Error)) return 'the request failed';
  if (error.name === 'TimeoutError') return 'no answer in time';
  const cause = error.cause instanceof Error ? error.cause : error;
  const code = 'code' in cause ? String(cause.code) : '';
  if (/^(?:ERR_SSL_|EPROTO$)/.test(code)) return 'what answers there is no HTTPS: try http://';
  return REASONS[code] ?? (cause.message || code || 'the request failed');
}
