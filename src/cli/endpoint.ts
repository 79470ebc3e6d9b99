import { addressOf } from '../client/address.ts';
import { readClientEnvironment } from '../config/client-env.ts';
import { readConfiguredFile } from '../lib/configured-file.ts';
import { echoed } from '../lib/echo.ts';
import { isLoopback } from '../lib/loopback.ts';
import { UsageError } from './usage-error.ts';

/** A server and the token to use there. */
export interface Endpoint {
  /** The URL of its `/graphql`. */
  readonly url: string;
  /** Absent: requests are sent without a token. */
  readonly token?: string;
}

/** The options of every command that talks to a server. */
export const ENDPOINT_OPTIONS = { url: { type: 'string' }, token: { type: 'string' } } as const;

const DEFAULT_URL = 'http://127.0.0.1:4000';

/** More than any token takes, with space around it. */
const MAX_TOKEN_FILE_BYTES = 4 * 1024;

/** How long to wait for a server to say that it requires a token, in milliseconds. */
const ASK_MS = 5_000;

/**
 * Reads the server and token from the options, else from RUNFEED_URL and RUNFEED_TOKEN. The default is the
 * server on port 4000 of this machine. Without a token, a server on this machine that requires one gets the
 * admin token from the admin token file that this environment names. No other server ever gets it. Throws a
 * {@link UsageError}.
 */
export async function readEndpoint(given: {
  readonly url?: string | undefined;
  readonly token?: string | undefined;
}): Promise<Endpoint> {
  const env = readClientEnvironment();
  const url = graphqlUrl(given.url ?? env.url ?? DEFAULT_URL);
  const token = given.token ?? env.token ?? (await ownAdminToken(url, env.adminTokenFile));
  return { url, ...(token !== null && { token }) };
}

async function ownAdminToken(url: string, file: string): Promise<string | null> {
  if (!isLoopback(new URL(url).hostname)) return null;
  // If the file is missing or not readable, the server's own error says what it needs.
  const read = readConfiguredFile(file, MAX_TOKEN_FILE_BYTES);
  if (!read.ok && read.reason === 'unusable') {
    throw new UsageError(`ADMIN_TOKEN_FILE: ${echoed(file)} ${read.problem}`);
  }
  const token = read.ok ? read.text.trim() : '';
  return token !== '' && (await asksForToken(url)) ? token : null;
}

/**
 * Returns true if a server requires a token. A server that requires none may not be the one that wrote the
 * file, and would refuse its token. An unreachable server is assumed to be the one that wrote the file.
 */
async function asksForToken(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}?query=%7B__typename%7D`, { signal: AbortSignal.timeout(ASK_MS) });
    await response.body?.cancel();
    return response.status === 401;
  } catch {
    return true;
  }
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
