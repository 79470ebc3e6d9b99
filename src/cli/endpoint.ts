import { readFile } from 'node:fs/promises';
import { addressOf } from '../client/address.ts';
import { readClientEnvironment } from '../config/client-env.ts';
import { isLoopback } from '../lib/loopback.ts';
import { UsageError } from './usage-error.ts';

/** A server, and as whom it is asked. */
export interface Endpoint {
  /** Its `/graphql`. */
  readonly url: string;
  /** Absent: as nobody in particular. */
  readonly token?: string;
}

/** The options of every command that talks to a server. */
export const ENDPOINT_OPTIONS = { url: { type: 'string' }, token: { type: 'string' } } as const;

const DEFAULT_URL = 'http://127.0.0.1:4000';

/** A server that asks for a token says so within this. */
const ASK_MS = 5_000;

/**
 * The server that the options or else RUNFEED_URL and RUNFEED_TOKEN name, by default the one on this machine. Without a
 * token, a server on this machine that asks for one gets the admin token that a server of this environment keeps in its
 * file. No other server ever does.
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
  // No such file, or not ours to read: then the server says what it needs.
  const token = (await readFile(file, 'utf8').catch(() => '')).trim();
  return token !== '' && (await asksForToken(url)) ? token : null;
}

/**
 * Whether a server answers nothing without a token. A server that needs none may be another one than the file's, and
 * would refuse its token. One that cannot be reached is taken for the file's own.
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

/** The address as the client library takes it. Throws a UsageError for one that the commands cannot use. */
function graphqlUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new UsageError('--url, or RUNFEED_URL, takes http://HOST:PORT or https://HOST:PORT');
  }
  if (url.username || url.password) {
    throw new UsageError('--url, or RUNFEED_URL, takes no user or password: use --token or RUNFEED_TOKEN');
  }
  return addressOf(url);
}
