import type { JsonObject } from '../contract/events.ts';
import { createBackoff, pause } from '../lib/backoff.ts';
import { leaveWith } from '../lib/leaving.ts';
import { addressOf } from './address.ts';
import { IngestFailed, post } from './post.ts';
import { isPassing } from './refusals.ts';
import { authorizationOf } from './token.ts';

/** What a runner's first call answers: what to do, and with what. */
export interface JobClaim {
  readonly runId: string;
  readonly payload: JsonObject | null;
  /** Variables for its environment that nobody else may see. */
  readonly env: Readonly<Record<string, string>>;
  /** ISO 8601. */
  readonly deadlineAt: string;
  /** Where the events' numbers and times go on. */
  readonly nextSeq: number;
  readonly lastTMs: number;
  /** Sends the run's events. */
  readonly token: string;
}

/** Which job to claim, and as whom. */
export interface ClaimOptions {
  /** The server's address, with or without `/graphql`. */
  readonly url: string | URL;
  /** `RUNFEED_RUNNER_TOKEN`. */
  readonly token: string;
  /** Names this process. */
  readonly instance: string;
  readonly signal?: AbortSignal;
}

/** A runner whose claim is refused leaves with this exit code: another one works on its job, or nobody should. */
export const CLAIM_REFUSED_EXIT_CODE = 79;

/** The job is not this instance's to run. */
export class ClaimRefused extends Error {
  override readonly name = 'ClaimRefused';
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

/** An answer that does not come within this is not waited for: the same is asked again. */
const ANSWER_MS = 30_000;

/**
 * Claims the job that this process was started for, however long the server is away. Throws {@link ClaimRefused} when
 * there is nothing to do here: then leave with {@link CLAIM_REFUSED_EXIT_CODE}.
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
    const late = setTimeout(() => leaving.leave(new Error(`nothing within ${ANSWER_MS} ms`)), ANSWER_MS);
    try {
      const answer = (await post(body, 'claimJob', { url, authorization, signal: leaving.signal })) as Answer;
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
