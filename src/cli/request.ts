import { z } from 'zod';
import { AnswerTooLong, textWithin } from '../client/request/answer.ts';
import { fieldOf, parsed } from '../client/request/refusals.ts';
import { authorizationOf } from '../client/request/token.ts';
import { fetchFailure } from '../lib/fetch-failure.ts';
import type { Endpoint } from './endpoint.ts';

/** Timeout of a request, in milliseconds. */
const ANSWER_MS = 30_000;

/** The server cannot be reached, or the response is not from a runfeed server. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

const refusal = z.object({ errors: z.array(z.object({ message: z.string() })).min(1) });

/**
 * Runs an operation over HTTP and returns its data. Throws the server's errors, or {@link Unreachable} if
 * there is no answer or the data do not have the shape of the schema.
 */
export async function request<Schema extends z.ZodType>(
  { url, token, fetchImpl = fetch }: Endpoint,
  schema: Schema,
  query: string,
  variables: Readonly<Record<string, unknown>> = {},
): Promise<z.infer<Schema>> {
  const authorization = await authorizationOf(token);
  let status: number;
  let text: string;
  try {
    const response = await fetchImpl(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(authorization !== null && { authorization }) },
      body: JSON.stringify({ query, variables }),
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    status = response.status;
    text = await textWithin(response);
  } catch (cause) {
    const what = cause instanceof AnswerTooLong ? 'cannot use' : 'cannot reach';
    throw new Unreachable(`${what} ${url}: ${fetchFailure(cause)}`, { cause });
  }
  const answer = parsed(text);
  const refused = refusal.safeParse(answer);
  if (refused.success) {
    const told = refused.data.errors.map(({ message }) => message).join('; ');
    throw new Error(status === 401 ? `${told}: pass a valid token with --token or RUNFEED_TOKEN` : told);
  }
  const answered = schema.safeParse(fieldOf(answer, 'data'));
  if (answered.success) return answered.data;
  throw new Unreachable(`unexpected response from ${url} (HTTP ${status}): is this a runfeed server?`);
}
