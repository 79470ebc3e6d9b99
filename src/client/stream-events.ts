import type { RunnerEventKind } from '../contract/events.ts';
import { type BackoffOptions, createBackoff, pause } from '../lib/backoff.ts';
import { cancellable, unlessAborted } from '../lib/cancellable.ts';
import { leaveWith } from '../lib/leaving.ts';
import { addressOf } from './address.ts';
import { type FeedBatch, StreamCut, type StreamedEvent, type StreamGap, StreamRefused } from './feed.ts';
import { UNAUTHENTICATED } from './refusals.ts';
import { authorizationOf, type Token } from './token.ts';
import { chooseTransport, type StreamTransport, type TransportChoice } from './transport-choice.ts';
import { wrongAddress } from './wrong-address.ts';

/**
 * Where a stream stands: before its first connection; reading what is stored already; with everything that was stored
 * when last heard of; between two connections; past the run's end; left, aborted or refused.
 */
export type StreamState = 'connecting' | 'catching_up' | 'live' | 'reconnecting' | 'ended' | 'stopped';

/** What to follow, and how. */
export interface StreamOptions {
  /** The server's address, with or without `/graphql`: `http:`, `https:`, `ws:` or `wss:`; in a page also relative. */
  readonly url: string | URL;
  /** Number of the last event seen; by default -1: from the start. */
  readonly after?: number;
  /** Only events of these kinds, and the terminal one; by default all. */
  readonly kinds?: readonly RunnerEventKind[];
  /** A function is called anew for each connection. */
  readonly token?: Token;
  /** By default `auto`. */
  readonly transport?: StreamTransport;
  /** The WebSocket class; needed for websockets where there is none by itself, as in Node 20 (the `ws` package has one). */
  readonly webSocketImpl?: unknown;
  /** Ends the stream: its reason is thrown. */
  readonly signal?: AbortSignal;
  /** Hears of each change of state; `cut` says what the connection was lost to when it is `reconnecting`. */
  readonly onState?: (state: StreamState, cut: Error | null) => void;
  /** Hears of events that retention has removed before they were seen. */
  readonly onGap?: (gap: StreamGap) => void;
  readonly backoff?: BackoffOptions;
  /**
   * A connection that brings nothing for so long, not even an answer to a ping, is given up; by default 30 s. Over
   * server-sent events a server that has nothing to say says so every 12 s.
   */
  readonly stalledAfterMs?: number;
}

/** A run's events. Nothing happens, not even connecting, before the first is asked for. `return()` ends it at once. */
export interface RunEventStream extends AsyncGenerator<StreamedEvent, void, undefined> {
  state(): StreamState;
  /** Everything up to this number has been handed over: pass it as `after` to go on from here. */
  cursor(): number;
}

/**
 * A run's events from a cursor to its end, each once and in order, over as many connections as it takes: what was cut
 * is taken up again by the cursor, after a wait that grows and is random. Ends after the terminal event. Throws
 * {@link StreamRefused} when the server would refuse again, a TypeError for options that cannot work, and what a
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

  /** One connection: to the run's end, or until the signal aborts. */
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

/** Who gives out tokens may be away for a moment like everybody else. */
async function authorize(token: Token | undefined): Promise<string | null> {
  try {
    return await authorizationOf(token);
  } catch (cause) {
    if (cause instanceof TypeError) throw cause;
    throw new StreamCut('no token could be had', null, { cause });
  }
}
