import { unlessAborted } from '../../lib/cancellable.ts';
import { type BackoffOptions, createBackoff, pause } from '../../lib/waiting/backoff.ts';
import { leaveWith } from '../../lib/waiting/leaving.ts';
import type { FetchLike } from '../request/answer.ts';
import { sendEvents } from '../request/ingest.ts';
import { IngestFailed, notRunfeed, type PostOptions, post } from '../request/post.ts';
import { fieldOf, hasFields, isPassing, UNAUTHENTICATED } from '../request/refusals.ts';
import { authorizationOf, type Token } from '../request/token.ts';
import { ReportFailed } from './failed.ts';
import type { SpooledEvent } from './spool.ts';

/** A request without an answer within this is sent again, in milliseconds. */
const ANSWER_MS = 30_000;

/** The options of {@link createDelivery}. */
export interface DeliveryOptions {
  readonly runId: string;
  readonly url: string;
  readonly token: Token | undefined;
  readonly fetchImpl: FetchLike | undefined;
  readonly backoff: BackoffOptions | undefined;
  /** Called with the reason of each retry. */
  readonly onRetry: (error: IngestFailed) => void;
}

/** Where a producer continues: the next event's number, and the last event's time in milliseconds. */
export interface Place {
  readonly nextSeq: number;
  readonly lastTMs: number;
}

/** Retries requests until they succeed. Rejects with {@link ReportFailed} once retrying cannot help. */
export interface Delivery {
  /** Resolves once the server has all of these consecutive events and those before them. Rejects on abort. */
  deliver(events: readonly SpooledEvent[], signal: AbortSignal): Promise<void>;
  /** Reads where the server's log of the run ends. */
  place(signal: AbortSignal): Promise<Place>;
}

function isPlace(value: unknown): value is Place {
  return hasFields(value, { nextSeq: 'number', lastTMs: 'number' });
}

const PLACE = 'query ($id: ID!) { run(id: $id) { nextSeq lastTMs ended } }';

/** Sends one request at a time, until it is answered. Keeps a token until the server refuses it. */
export function createDelivery(options: DeliveryOptions): Delivery {
  const { runId, url, token, fetchImpl, backoff, onRetry } = options;
  let authorization: Promise<string | null> | null = null;

  async function authorize(): Promise<string | null> {
    authorization ??= authorizationOf(token);
    try {
      return await authorization;
    } catch (cause) {
      authorization = null;
      if (cause instanceof TypeError) throw new ReportFailed(cause.message, 'BAD_USER_INPUT');
      throw new IngestFailed('could not get a token', null, { cause });
    }
  }

  async function attempt<Answer>(
    ask: (options: PostOptions) => Promise<Answer>,
    stop: AbortSignal,
  ): Promise<Answer> {
    const leaving = leaveWith(stop);
    const late = setTimeout(() => leaving.leave(new Error(`no answer within ${ANSWER_MS} ms`)), ANSWER_MS);
    try {
      const header = await unlessAborted(authorize(), leaving.signal);
      if (header === undefined) throw new IngestFailed('no token within the time limit', null);
      const given = { url, authorization: header, signal: leaving.signal };
      return await ask({ ...given, ...(fetchImpl && { fetchImpl }) });
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

  async function send(events: readonly SpooledEvent[], stop: AbortSignal): Promise<void> {
    const [first] = events;
    if (!first) return;
    const texts = events.map(({ json }) => json);
    const result = await untilAnswered((options) => sendEvents(runId, texts, first.seq - 1, options), stop);
    if (result.__typename === 'BatchRejected') throw new ReportFailed(result.message, result.code);
  }

  /** A proxy in front of the server may allow less than the server. Only a single event is finally too large. */
  async function deliver(events: readonly SpooledEvent[], stop: AbortSignal): Promise<void> {
    try {
      await send(events, stop);
    } catch (error) {
      const isTooLarge = error instanceof ReportFailed && error.code === 'BODY_TOO_LARGE';
      if (!isTooLarge || events.length < 2) throw error;
      const half = Math.ceil(events.length / 2);
      await deliver(events.slice(0, half), stop);
      await deliver(events.slice(half), stop);
    }
  }

  return {
    deliver,
    place: async (signal) => {
      const body = JSON.stringify({ query: PLACE, variables: { id: runId } });
      const run = await untilAnswered(async (options) => {
        const found = await post(body, 'run', options);
        if (found === null || isPlace(found)) return found;
        throw notRunfeed();
      }, signal);
      if (run === null) throw new ReportFailed(`run ${runId} not found`, 'unknown_run');
      if (fieldOf(run, 'ended') === true)
        throw new ReportFailed(`run ${runId} has ended: report to a new run`, 'run_terminated');
      const { nextSeq, lastTMs } = run;
      return { nextSeq, lastTMs };
    },
  };
}
