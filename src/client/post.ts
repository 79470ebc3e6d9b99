import { fetchFailure } from '../lib/fetch-failure.ts';
import { fieldOf, firstError, UNAUTHENTICATED } from './refusals.ts';

/** What is asked for, and as whom. */
export interface PostOptions {
  /** The server's `/graphql`. */
  readonly url: string;
  /** The header to send; null: none. */
  readonly authorization: string | null;
  readonly signal?: AbortSignal;
}

/** The server gave no outcome: it was not reached, or answered a fault. The same may be sent again. */
export class IngestFailed extends Error {
  override readonly name = 'IngestFailed';
  /** The fault's code, such as `OVERLOADED`; null when the answer was none of a runfeed server's. */
  readonly code: string | null;
  constructor(message: string, code: string | null, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** What a status says where something in between answers, which knows no codes. Others may pass. */
const STATUS_CODES: Readonly<Record<number, string>> = { 401: UNAUTHENTICATED, 413: 'BODY_TOO_LARGE' };

/** Posts a body that holds one operation and answers what its root field brought; throws {@link IngestFailed}. */
export async function post(body: string, field: string, options: PostOptions): Promise<unknown> {
  const { url, authorization, signal } = options;
  let status: number;
  let answer: unknown;
  try {
    const response = await fetch(url, {
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
    const text = await response.text();
    answer = parsed(text);
  } catch (cause) {
    throw new IngestFailed(`cannot reach ${new URL(url).host}: ${fetchFailure(cause)}`, null, { cause });
  }
  const error = firstError(answer);
  if (error) throw new IngestFailed(error.message, error.code ?? STATUS_CODES[status] ?? null);
  const outcome = fieldOf(fieldOf(answer, 'data'), field);
  if (outcome !== undefined) return outcome;
  throw new IngestFailed(
    `the answer, HTTP ${status}, is none of a runfeed server`,
    STATUS_CODES[status] ?? null,
  );
}

/** What a JSON text says; null where it is none. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
