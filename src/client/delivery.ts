import { type BackoffOptions, createBackoff, pause } from '../lib/backoff.ts';
import { unlessAborted } from '../lib/cancellable.ts';
import { leaveWith } from '../lib/leaving.ts';
import { sendEvents } from './ingest.ts';
import { IngestFailed, type PostOptions, post } from './post.ts';
import { fieldOf, isPassing, UNAUTHENTICATED } from './refusals.ts';
import { ReportFailed } from './report-failed.ts';
import type { SpooledEvent } from './spool.ts';
import { authorizationOf, type Token } from './token.ts';

/** An answer that does not come within this is not waited for: the same is sent again. */
const ANSWER_MS = 30_000;

/** Whom to send to, and how patiently. */
export interface DeliveryOptions {
  readonly runId: string;
  readonly url: string;
  readonly token: Token | undefined;
  readonly backoff: BackoffOptions | undefined;
  /** Hears why something has to be sent again. */
  readonly onRetry: (error: IngestFailed) => void;
}

/** Where a producer goes on. */
export interface Place {
  readonly nextSeq: number;
  readonly lastTMs: number;
}

/** Gets things to the server, however long it takes. Both reject with {@link ReportFailed} once that is in vain. */
export interface Delivery {
  /** Resolves when the server has them all; `previousSeq` is the number before them. Rejects when the signal aborts. */
  deliver(events: readonly SpooledEvent[], previousSeq: number, signal: AbortSignal): Promise<void>;
  /** Where the server's log of the run stands. */
  place(signal: AbortSignal): Promise<Place>;
}

const PLACE = 'query ($id: ID!) { run(id: $id) { nextSeq lastTMs ended } }';

/** Sends one thing at a time, each until it is answered. A token is kept until the server takes it no longer. */
export function createDelivery({ runId, url, token, backoff, onRetry }: DeliveryOptions): Delivery {
  let authorization: Promise<string | null> | null = null;

  async function authorize(): Promise<string | null> {
    authorization ??= authorizationOf(token);
    try {
      return await authorization;
    } catch (cause) {
      authorization = null;
      if (cause instanceof TypeError) throw new ReportFailed(cause.message, 'BAD_USER_INPUT');
      throw new IngestFailed('no token could be had', null, { cause });
    }
  }

  async function attempt<Answer>(
    ask: (options: PostOptions) => Promise<Answer>,
    stop: AbortSignal,
  ): Promise<Answer> {
    const leaving = leaveWith(stop);
    const late = setTimeout(() => leaving.leave(new Error(`nothing within ${ANSWER_MS} ms`)), ANSWER_MS);
    try {
      const header = await unlessAborted(authorize(), leaving.signal);
      if (header === undefined) throw new IngestFailed('no token came in time', null);
      return await ask({ url, authorization: header, signal: leaving.signal });
    } catch (error) {
      if (error instanceof IngestFailed && error.code === UNAUTHENTICATED) authorization = null;
      throw error;
    } finally {
      clearTimeout(late);
      leaving.release();
    }
  }

  async function untilAnswered<Answer>(
    ask: (options: PostOptions) => Promise<Answer>,
    stop: AbortSignal,
  ): Promise<Answer> {
    const waits = createBackoff(backoff);
    let renewed = false;
    for (;;) {
      stop.throwIfAborted();
      try {
        return await attempt(ask, stop);
      } catch (error) {
        stop.throwIfAborted();
        if (!(error instanceof IngestFailed)) throw error;
        const mayRenew = error.code === UNAUTHENTICATED && !renewed;
        if (error.code !== null && !isPassing(error.code) && !mayRenew)
          throw new ReportFailed(error.message, error.code, null, { cause: error });
        renewed = error.code === UNAUTHENTICATED;
        onRetry(error);
      }
      await pause(waits.nextMs(), stop);
    }
  }

  return {
    deliver: async (events, previousSeq, signal) => {
      const texts = events.map(({ json }) => json);
      const result = await untilAnswered((options) => sendEvents(runId, texts, previousSeq, options), signal);
      if (result.__typename === 'BatchRejected') throw new ReportFailed(result.message, result.code);
    },
    place: async (signal) => {
      const body = JSON.stringify({ query: PLACE, variables: { id: runId } });
      const run = await untilAnswered((options) => post(body, 'run', options), signal);
      if (run === null) throw new ReportFailed(`there is no run ${runId}`, 'unknown_run');
      if (fieldOf(run, 'ended') === true) throw new ReportFailed('the run has ended', 'run_terminated');
      const { nextSeq, lastTMs } = run as Place;
      return { nextSeq, lastTMs };
    },
  };
}
