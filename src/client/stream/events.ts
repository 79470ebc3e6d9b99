import type { RunnerEventKind } from '../../contract/events.ts';
import { cancellable, unlessAborted } from '../../lib/cancellable.ts';
import { type BackoffOptions, createBackoff, pause } from '../../lib/waiting/backoff.ts';
import { leaveWith } from '../../lib/waiting/leaving.ts';
import { addressOf } from '../request/address.ts';
import type { FetchLike } from '../request/answer.ts';
import { UNAUTHENTICATED } from '../request/refusals.ts';
import { authorizationOf, type Token } from '../request/token.ts';
import { wrongAddress } from '../request/wrong-address.ts';
import { type FeedBatch, StreamCut, type StreamedEvent, type StreamGap, StreamRefused } from './feed.ts';
import { chooseTransport, type StreamTransport, type TransportChoice } from './transport-choice.ts';

/**
 * The state of a stream: before the first connection; reading stored events; caught up with the stored
 * events; between two connections; after the run's end; left, aborted or refused.
 */
export type StreamState = 'connecting' | 'catching_up' | 'live' | 'reconnecting' | 'ended' | 'stopped';

/** The options of {@link streamEvents}. */
export interface StreamOptions {
  /** The server's http(s) or ws(s) address, with or without `/graphql`; in a page it may be relative. */
  readonly url: string | URL;
  /** The number of the last event seen. Defaults to -1: from the start. */
  readonly after?: number;
  /** Yield only events of these kinds and the terminal event. Defaults to all kinds. */
  readonly kinds?: readonly RunnerEventKind[];
  /** A function is called for each connection. */
  readonly token?: Token;
  /** Defaults to `auto`. */
  readonly transport?: StreamTransport;
  /** The WebSocket class, for platforms that have none, such as Node 20. Use that of the `ws` package. */
  readonly webSocketImpl?: unknown;
  /** Sends requests instead of the platform's `fetch`. */
  readonly fetchImpl?: FetchLike;
  /** Ends the stream. The signal's reason is thrown. */
  readonly signal?: AbortSignal;
  /** Called on each change of state. With `reconnecting`, `cut` says why the connection was lost. */
  readonly onState?: (state: StreamState, cut: Error | null) => void;
  /** Called for events that retention removed before they were delivered. */
  readonly onGap?: (gap: StreamGap) => void;
  readonly backoff?: BackoffOptions;
  /**
   * A connection that is silent for longer than this, without even an answer to a ping, is dropped. Defaults
   * to 30 s. Over server-sent events an idle server sends a comment every 12 s.
   */
  readonly stalledAfterMs?: number;
}

/** A run's events. Connects when the first event is requested. `return()` ends the stream immediately. */
export interface RunEventStream extends AsyncGenerator<StreamedEvent, void, undefined> {
  state(): StreamState;
  /** All events up to this number have been yielded. Pass it as `after` to continue from here. */
  cursor(): number;
}

/**
 * Follows a run from a cursor to its end and yields each event once and in order. After a lost connection it
 * waits for a growing, random time and reconnects with the cursor. Ends after the terminal event. Throws
 * {@link StreamRefused} if the server would refuse again, a TypeError for invalid options, and whatever a
 * callback throws.
 */
export function streamEvents(runId: string, options: StreamOptions): RunEventStream {
  const { onState = () => {}, onGap = () => {}, after = -1 } = options;
  const stalledAfterMs = options.stalledAfterMs ?? 30_000;
  const url = addressOf(options.url);
  let state: StreamState = 'connecting';
  let cursor = after;
  let everOpened = false;

  function enter(entered: StreamState, cut: Error | null = null): void {
    if (entered === state && !cut) return;
    state = entered;
    onState(state, cut);
  }

  function* handOver(batch: FeedBatch, signal: AbortSignal): Generator<StreamedEvent> {
    if (!batch.caughtUp || state !== 'live') enter('catching_up');
    if (batch.gap) onGap(batch.gap);
    for (const event of batch.events) {
      if (event.seq <= cursor) continue;
      cursor = event.seq;
      yield event;
      if (signal.aborted) return;
    }
    cursor = Math.max(cursor, batch.cursor);
    if (batch.caughtUp && !batch.ended) enter('live');
  }

  /** Follows one connection to the run's end, or until the signal aborts. */
  async function* followOnce(transports: TransportChoice, signal: AbortSignal, onProgress: () => void) {
    const authorization = await unlessAborted(authorize(options.token), signal);
    if (authorization === undefined) return;
    const connect = transports.next();
    let opened = false;
    const onOpen = (): void => {
      opened = true;
      everOpened = true;
    };
    const request = {
      url,
      runId,
      after: cursor,
      kinds: options.kinds ?? null,
      authorization,
      stalledAfterMs,
      webSocketImpl: options.webSocketImpl,
      fetchImpl: options.fetchImpl,
      onOpen,
    };
    try {
      for await (const batch of connect(request, signal)) {
        onProgress();
        yield* handOver(batch, signal);
        if (batch.ended || signal.aborted) return;
      }
    } finally {
      transports.tried(opened);
    }
  }

  async function* follow(signal: AbortSignal): AsyncGenerator<StreamedEvent, void, undefined> {
    const backoff = createBackoff(options.backoff);
    const transports = chooseTransport(options.transport ?? 'auto', options.webSocketImpl);
    let renewed = false;
    while (!signal.aborted) {
      try {
        yield* followOnce(transports, signal, () => {
          backoff.reset();
          renewed = false;
        });
        if (!signal.aborted) enter('ended');
        return;
      } catch (error) {
        const told = error instanceof StreamCut || error instanceof StreamRefused;
        if (signal.aborted || !told) throw error;
        if (error instanceof StreamRefused) {
          if (error.code !== UNAUTHENTICATED || renewed) throw error;
          renewed = true;
        } else if (!everOpened) {
          const refusal = await wrongAddress(url, error, signal);
          if (refusal) throw refusal;
        }
        enter('reconnecting', error);
        await pause(backoff.nextMs(), signal);
      }
    }
  }

  async function* untilLeft(left: AbortSignal): AsyncGenerator<StreamedEvent, void, undefined> {
    const leaving = leaveWith(left, options.signal);
    try {
      yield* follow(leaving.signal);
      if (state !== 'ended') options.signal?.throwIfAborted();
    } finally {
      leaving.release();
      if (state !== 'ended') enter('stopped');
    }
  }

  return { ...cancellable(untilLeft), state: () => state, cursor: () => cursor };
}

/** A failing token function is retried: whatever issues tokens may be down for a moment, like the server. */
async function authorize(token: Token | undefined): Promise<string | null> {
  try {
    return await authorizationOf(token);
  } catch (cause) {
    if (cause instanceof TypeError) throw cause;
    throw new StreamCut('could not get a token', null, { cause });
  }
}
