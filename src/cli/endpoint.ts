import { isAdminToken } from '../auth/admin-token.ts';
import { addressOf } from '../client/request/address.ts';
import type { FetchLike } from '../client/request/answer.ts';
import { readClientEnvironment } from '../config/client-env.ts';
import { isLoopback } from '../lib/loopback.ts';
import { readRegularFile } from '../lib/regular-file.ts';
import { echoed } from '../lib/text/echo.ts';
import { NotProven, openOwnServer } from './own-server.ts';
import { UsageError } from './terminal/usage-error.ts';

/** A server and how to identify oneself there. */
export interface Endpoint {
  /** The URL of its `/graphql`. */
  readonly url: string;
  /** The token that the user or a job's claim has given. Absent: requests are sent without it. */
  readonly token?: string;
  /** Send the admin token of the own server, and only to that server. Absent for other servers. */
  readonly fetchImpl?: FetchLike;
  readonly webSocketImpl?: unknown;
  /** The token that they send, to be redacted from output. */
  readonly adminToken?: string;
}

/** The options of every command that talks to a server. */
export const ENDPOINT_OPTIONS = { url: { type: 'string' }, token: { type: 'string' } } as const;

const DEFAULT_URL = 'http://127.0.0.1:4000';

/** More than any token takes, with space around it. */
const MAX_TOKEN_FILE_BYTES = 4 * 1024;

/**
 * Reads the server and token from the options, else from RUNFEED_URL and RUNFEED_TOKEN. The default is the
 * server on port 4000 of this machine. Without a token, a server on this machine that requires one gets the
 * admin token from the admin token file that this environment names, on connections on which it has proven
 * that it knows the token. No other server ever gets it. Throws a {@link UsageError}, or an error if the
 * server proves nothing.
 */
export async function readEndpoint(given: {
  readonly url?: string | undefined;
  readonly token?: string | undefined;
}): Promise<Endpoint> {
  const env = readClientEnvironment();
  const url = graphqlUrl(given.url ?? env.url ?? DEFAULT_URL);
  const token = given.token ?? env.token;
  return { url, ...(token === null ? await ownConnections(url, env.adminTokenFile) : { token }) };
}

/** An unreachable server is assumed to be the one that wrote the file: it has to prove that later. */
async function ownConnections(
  url: string,
  file: string,
): Promise<Pick<Endpoint, 'fetchImpl' | 'webSocketImpl' | 'adminToken'>> {
  const { protocol, hostname } = new URL(url);
  // Only a server that is connected to directly can prove anything, and no runfeed server speaks HTTPS.
  if (protocol !== 'http:' || !isLoopback(hostname)) return {};
  // If the file is missing or not readable, the server's own error says what it needs.
  const read = readRegularFile(file, MAX_TOKEN_FILE_BYTES);
  if (!read.ok && read.reason === 'unusable') {
    throw new UsageError(`ADMIN_TOKEN_FILE: ${echoed(file)} ${read.problem}`);
  }
  const token = read.ok ? read.text.trim() : '';
  if (!isAdminToken(token)) return {};
  const { meet, fetchImpl, webSocketImpl } = openOwnServer(url, token, file);
  const met = await meet().catch((error: unknown) => {
    if (error instanceof NotProven) throw error;
    return 'unreachable' as const;
  });
  return met === 'needs no token' ? {} : { fetchImpl, webSocketImpl, adminToken: token };
}

/** Normalizes the address for the client library. Throws a UsageError if the commands cannot use it. */
function graphqlUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new UsageError('--url or RUNFEED_URL must be http://HOST:PORT or https://HOST:PORT');
  }
  if (url.username || url.password) {
    throw new UsageError(
      '--url or RUNFEED_URL must not contain a user or password: use --token or RUNFEED_TOKEN',
    );
  }
  return addressOf(url);
}
