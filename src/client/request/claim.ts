import type { JsonObject } from '../../contract/events.ts';
import { createBackoff, pause } from '../../lib/waiting/backoff.ts';
import { leaveWith } from '../../lib/waiting/leaving.ts';
import { addressOf } from './address.ts';
import { IngestFailed, notRunfeed, post } from './post.ts';
import { fieldOf, hasFields, isPassing } from './refusals.ts';
import { authorizationOf } from './token.ts';

/** A claimed job: its run, payload and secrets, and the token for its events. */
export interface JobClaim {
  readonly runId: string;
  readonly payload: JsonObject | null;
  /** Secret variables for the runner's environment. */
  readonly env: Readonly<Record<string, string>>;
  /** When the job is stopped if it is still running, in ISO 8601. */
  readonly deadlineAt: string;
  /** The number of the next event. */
  readonly nextSeq: number;
  /** No later event may have an earlier time, in milliseconds. */
  readonly lastTMs: number;
  /** The token for sending the run's events. */
  readonly token: string;
}

/** The options of {@link claimJob}. */
export interface ClaimOptions {
  /** The server's address, with or without `/graphql`. */
  readonly url: string | URL;
  /** The value of `RUNFEED_RUNNER_TOKEN`. It identifies the job. */
  readonly token: string;
  /** An id of this process, the same for each try. */
  readonly instance: string;
  /** Aborts the claim; its reason is thrown. */
  readonly signal?: AbortSignal;
}

/** The exit code of a runner whose claim is refused: another runner has the job, or none should. */
export const CLAIM_REFUSED_EXIT_CODE = 79;

/** The server refused the claim: this instance must not run the job. */
export class ClaimRefused extends Error {
  override readonly name = 'ClaimRefused';
  /** Why, such as `claim_refused` or `UNAUTHENTICATED`. */
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

const CLAIM = `mutation ($instance: String!) {
  claimJob(instance: $instance) {
    __typename
    ... on ClaimJobSuccess { runId payload env deadlineAt nextSeq lastTMs token }
    ... on Error { code message }
  }
}`;

type Answer =
  | ({ readonly __typename: 'ClaimJobSuccess' } & JobClaim)
  | { readonly __typename: 'NotFound' | 'JobRefused'; readonly code: string; readonly message: string };

function isAnswer(value: unknown): value is Answer {
  if (fieldOf(value, '__typename') !== 'ClaimJobSuccess') {
    return hasFields(value, { __typename: 'string', code: 'string', message: 'string' });
  }
  const env = fieldOf(value, 'env');
  return (
    hasFields(value, { runId: 'string', nextSeq: 'number', lastTMs: 'number', token: 'string' }) &&
    typeof fieldOf(value, 'payload') === 'object' &&
    typeof env === 'object' &&
    env !== null
  );
}

/** A request without an answer within this is sent again, in milliseconds. */
const ANSWER_MS = 30_000;

/**
 * Claims the job that this process was started for, and retries for as long as the server is away. Throws
 * {@link ClaimRefused} if this process must not run the job: then exit with {@link CLAIM_REFUSED_EXIT_CODE}.
 */
export async function claimJob(options: ClaimOptions): Promise<JobClaim> {
  const { token, instance, signal = new AbortController().signal } = options;
  const url = addressOf(options.url);
  const authorization = await authorizationOf(token);
  const body = JSON.stringify({ query: CLAIM, variables: { instance } });
  const waits = createBackoff();
  for (;;) {
    signal.throwIfAborted();
    const leaving = leaveWith(signal);
    const late = setTimeout(() => leaving.leave(new Error(`no answer within ${ANSWER_MS} ms`)), ANSWER_MS);
    try {
      const answer = await post(body, 'claimJob', { url, authorization, signal: leaving.signal });
      if (!isAnswer(answer)) throw notRunfeed();
      if (answer.__typename === 'ClaimJobSuccess') return answer;
      throw new ClaimRefused(answer.code, answer.message);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof IngestFailed)) throw error;
      if (!isPassing(error.code)) throw new ClaimRefused(error.code ?? 'claim_refused', error.message);
    } finally {
      clearTimeout(late);
      leaving.release();
    }
    await pause(waits.nextMs(), signal);
  }
}
