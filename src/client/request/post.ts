import { fetchFailure } from '../../lib/fetch-failure.ts';
import { AnswerTooLong, type FetchLike, textWithin } from './answer.ts';
import { codeFor, fieldOf, firstError, parsed, TOO_LARGE } from './refusals.ts';

/** The options of {@link post}. */
export interface PostOptions {
  /** The URL of the server's `/graphql`. */
  readonly url: string;
  /** The `authorization` header. Null: none is sent. */
  readonly authorization: string | null;
  readonly fetchImpl?: FetchLike;
  readonly signal?: AbortSignal;
}

/** The server gave no outcome: it was unreachable or answered with a fault. The request may be sent again. */
export class IngestFailed extends Error {
  override readonly name = 'IngestFailed';
  /** The fault's code, such as `OVERLOADED`. Null if no runfeed server answered. */
  readonly code: string | null;
  constructor(message: string, code: string | null, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The error for an answer that is not a runfeed server's. */
export function notRunfeed(status: number | null = null): IngestFailed {
  if (status === null) return new IngestFailed('unexpected response: is this a runfeed server?', null);
  const message =
    status === TOO_LARGE
      ? 'the request is too large for a proxy in front of the server (HTTP 413): raise its limit to 16 MiB'
      : `unexpected response (HTTP ${status}): is this a runfeed server?`;
  return new IngestFailed(message, codeFor(status, null));
}

/** Posts a body with one operation and returns the value of its root field. Throws {@link IngestFailed}. */
export async function post(body: string, field: string, options: PostOptions): Promise<unknown> {
  const { url, authorization, fetchImpl = fetch, signal } = options;
  let status: number;
  let answer: unknown;
  try {
    const response = await fetchImpl(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json',
        ...(authorization !== null && { authorization }),
      },
      body,
      ...(signal && { signal }),
    });
    status = response.status;
    answer = parsed(await textWithin(response));
  } catch (cause) {
    if (cause instanceof AnswerTooLong) throw new IngestFailed(cause.message, null, { cause });
    throw new IngestFailed(`cannot reach ${new URL(url).host}: ${fetchFailure(cause)}`, null, { cause });
  }
  const error = firstError(answer);
  if (error) throw new IngestFailed(error.message, codeFor(status, error.code));
  const outcome = fieldOf(fieldOf(answer, 'data'), field);
  if (outcome !== undefined) return outcome;
  throw notRunfeed(status);
}
