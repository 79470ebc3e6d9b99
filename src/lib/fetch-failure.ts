/** Explanations for the error codes of failed connections. */
const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused: is a server running there?',
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was closed',
  UND_ERR_SOCKET: 'the connection was closed',
  ENOTFOUND: 'the host name does not exist',
  EAI_AGAIN: 'the host name cannot be resolved right now',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  ETIMEDOUT: 'the connection timed out',
  UND_ERR_CONNECT_TIMEOUT: 'the connection timed out',
  UND_ERR_HEADERS_TIMEOUT: 'no response in time',
  UND_ERR_BODY_TIMEOUT: 'no response in time',
};

/**
 * Explains to people why a `fetch` failed. The error's own message only says that it failed; the reason is in
 * its cause.
 */
export function fetchFailure(error: unknown): string {
  if (!(error instanceof Error)) return 'the request failed';
  if (error.name === 'TimeoutError') return 'no response in time';
  const cause = error.cause instanceof Error ? error.cause : error;
  const code = 'code' in cause ? String(cause.code) : '';
  if (/^(?:ERR_SSL_|EPROTO$)/.test(code)) return 'the server there does not speak HTTPS: try http://';
  return REASONS[code] ?? (cause.message || code || 'the request failed');
}
