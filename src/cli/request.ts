import { authorizationOf } from '../client/token.ts';
import { fetchFailure } from '../lib/fetch-failure.ts';
import type { Endpoint } from './endpoint.ts';

/** Timeout of a request, in milliseconds. */
const ANSWER_MS = 30_000;

/** The server cannot be reached, or the response is not from a runfeed server. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

/** Runs an operation over HTTP and returns its data. Throws the server's errors, or {@link Unreachable}. */
export async function request(
  { url, token }: Endpoint,
  query: string,
  variables: Readonly<Record<string, unknown>> = {},
): Promise<Record<string, unknown>> {
  const authorization = await authorizationOf(token);
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(authorization !== null && { authorization }) },
    body: JSON.stringify({ query, variables }),
    signal: AbortSignal.timeout(ANSWER_MS),
  }).catch((cause: unknown) => {
    throw new Unreachable(`cannot reach ${url}: ${fetchFailure(cause)}`, { cause });
  });
  const answer: unknown = await response.json().catch(() => null);
  const { data, errors } = (answer ?? {}) as {
    data?: Record<string, unknown>;
    errors?: readonly { readonly message: string }[];
  };
  if (errors) {
    const told = errors.map(({ message }) => message).join('; ');
    throw new Error(
      response.status === 401 ? `${told}: pass a valid token with --token or RUNFEED_TOKEN` : told,
    );
  }
  if (!data)
    throw new Unreachable(
      `unexpected response from ${url} (HTTP ${response.status}): is this a runfeed server?`,
    );
  return data;
}
