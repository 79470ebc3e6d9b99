import { addressOf } from '../client/address.ts';
import { readClientEnvironment } from '../config/client-env.ts';
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

/** The server that the options or else RUNFEED_URL and RUNFEED_TOKEN name, by default the one on this machine. */
export function readEndpoint(given: {
  readonly url?: string | undefined;
  readonly token?: string | undefined;
}): Endpoint {
  const env = readClientEnvironment();
  const token = given.token ?? env.token;
  const url = graphqlUrl(given.url ?? env.url ?? DEFAULT_URL);
  return { url, ...(token !== null && { token }) };
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
