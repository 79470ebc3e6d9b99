import {
  type JsonObject,
  RUNNER_EVENT_BATCH_MAX_EVENTS,
  RUNNER_EVENT_VERSION,
  type RunnerEvent,
  type RunnerEventKind,
} from '../../contract/events.ts';
import { validateRunnerEventBatch } from '../../contract/validate.ts';
import type { BackoffOptions } from '../../lib/waiting/backoff.ts';
import { createBell } from '../../lib/waiting/bell.ts';
import { addressOf } from '../request/address.ts';
import type { FetchLike } from '../request/answer.ts';
import type { Token } from '../request/token.ts';
import { createDelivery, type Place } from './delivery.ts';
import { ReportFailed } from './failed.ts';
import { createMemorySpool, type SeqRange, type Spool } from './spool.ts';

/**
 * The most characters of JSON in a batch, unless it is a single event. The server accepts 16 MiB, but many proxies
 * only 1 MiB by default, and a character may have three bytes.
 */
const BATCH_MAX_CHARACTERS = 256 * 1024;
/** A single event may be longer than a batch, up to this many bytes of JSON. */
const EVENT_MAX_BYTES = 15 * 1024 * 1024;
/** The most calls of `report` that may wait for room at once. */
const MAX_WAITING = 10_000;
const CLOSE_DEADLINE_MS = 10_000;

/** An event to report. The reporter adds its number. */
export interface ReportedEvent {
  readonly kind: RunnerEventKind;
  readonly data: JsonObject;
  /** Unix milliseconds; defaults to now. A time before that of the previous event is raised to it. */
  readonly tMs?: number;
}

/** The options of {@link createReporter}. */
export interface ReporterOptions {
  readonly runId: string;
  /** The server's address, with or without `/graphql`. */
  readonly url: string | URL;
  /** A function is called for the first request, and again whenever the server refuses the token. */
  readonly token?: Token;
  /** Sends requests instead of the platform's `fetch`. */
  readonly fetchImpl?: FetchLike;
  /** The first event's number, unless the spool holds events. By default read from the server's log. */
  readonly nextSeq?: number;
  /** No event gets an earlier time. Used only with `nextSeq`; defaults to 0. */
  readonly lastTMs?: number;
  /** Holds events until the server has them; in memory by default. The reporter closes the spool. */
  readonly spool?: Spool;
  /** The longest that an event waits to be sent in a batch with others. Defaults to 50 ms. */
  readonly flushMs?: number;
  /** Called with the number up to which the server has acknowledged all events. */
  readonly onAcknowledged?: (seq: number) => void;
  /** Called with the reason of each retry. */
  readonly onRetry?: (error: Error) => void;
  readonly backoff?: BackoffOptions;
}

/** The result of `close`. */
export interface ReporterClosed {
  /** The server has all events up to this number; -1 if it acknowledged none. */
  readonly acknowledgedSeq: number;
  /** Accepted events that were not delivered: lost, unless the spool keeps them. */
  readonly undelivered: SeqRange | null;
  /** Why the reporter stopped permanently. Null if it did not. */
  readonly failure: ReportFailed | null;
}

/** Sends a run's events in order, and retries each until the server has it. */
export interface Reporter {
  /**
   * Accepts an event. Resolves with its number once it is in the spool, and waits while the spool is full.
   * Events are numbered in the order of the calls. Rejects with {@link ReportFailed}.
   */
  report(event: ReportedEvent): Promise<number>;
  /** Where this reporter begins: all events below `nextSeq` were reported earlier. */
  ready(): Promise<Place>;
  /** The server has all events up to this number; -1 before the first acknowledgement. */
  acknowledgedSeq(): number;
  /** Why the reporter stopped permanently. Null while it works. */
  failure(): ReportFailed | null;
  /** Stops accepting events. Resolves once all are delivered, on failure, or after `deadlineMs` (10 s). */
  close(options?: { readonly deadlineMs?: number }): Promise<ReporterClosed>;
}

/** Starts a reporter. It retries through outages of any length, until it is closed or finally refused. */
export function createReporter(options: ReporterOptions): Reporter {
  const { runId, token, fetchImpl, backoff, flushMs = 50, spool = createMemorySpool() } = options;
  const { onAcknowledged = () => {}, onRetry = () => {} } = options;
  const url = addressOf(options.url);
  const delivery = createDelivery({ runId, url, token, fetchImpl, backoff, onRetry });
  const stopping = new AbortController();
  const bell = createBell();
  let failure: ReportFailed | null = null;
  let acknowledgedSeq = -1;
  let closed: Promise<ReporterClosed> | null = null;
  let ended = false;
  /** An event waits for room. */
  let full = false;
  let next: Place;
  let admitting = 0;
  let admitted: Promise<unknown> = Promise.resolve();

  const begun = begin();
  const sending = begun.then(sendAll).catch((error: unknown) => {
    if (!stopping.signal.aborted) fail(error);
  });

  async function begin(): Promise<Place> {
    const last = spool.last();
    if (last) {
      const { seq, tMs, kind } = JSON.parse(last.json) as RunnerEvent;
      ended = kind === 'runtime_terminal';
      next = { nextSeq: seq + 1, lastTMs: tMs };
    } else if (options.nextSeq !== undefined) {
      next = { nextSeq: options.nextSeq, lastTMs: options.lastTMs ?? 0 };
    } else next = await delivery.place(stopping.signal);
    return next;
  }

  function fail(error: unknown): void {
    const { message, code } =
      error instanceof ReportFailed ? error : { message: String(error), code: 'reporter_failed' };
    failure = new ReportFailed(message, code, spool.held().range, { cause: error });
    stopping.abort(failure);
  }

  async function sendAll(): Promise<void> {
    const something = (): boolean => spool.waiting() > 0 || (closed !== null && admitting === 0);
    const enough = (): boolean =>
      spool.waiting() >= RUNNER_EVENT_BATCH_MAX_EVENTS ||
      spool.held().characters >= BATCH_MAX_CHARACTERS ||
      full ||
      closed !== null;
    for (;;) {
      await bell.until(something, stopping.signal);
      if (spool.waiting() > 0) await bell.until(enough, stopping.signal, flushMs);
      stopping.signal.throwIfAborted();
      const events = await spool.take(RUNNER_EVENT_BATCH_MAX_EVENTS, BATCH_MAX_CHARACTERS);
      const last = events.at(-1);
      if (!last) return;
      await delivery.deliver(events, stopping.signal);
      acknowledgedSeq = last.seq;
      await spool.release(events);
      onAcknowledged(acknowledgedSeq);
      bell.ring();
    }
  }

  /** Numbers an event and appends it to the spool, once there is room. */
  async function admit(kind: RunnerEventKind, wantedTMs: number, data: string): Promise<number> {
    await begun;
    if (ended)
      throw new ReportFailed('the run has ended: no event may follow the terminal event', 'run_terminated');
    const { nextSeq: seq, lastTMs } = next;
    const tMs = Math.max(wantedTMs, lastTMs);
    const json = `{"seq":${seq},"tMs":${tMs},"kind":"${kind}","data":${data}}`;
    const fits = (): boolean => {
      const { characters, range } = spool.held();
      return range === null || characters + json.length <= spool.maxCharacters;
    };
    full = !fits();
    if (full) bell.ring();
    await bell.until(fits, stopping.signal);
    full = false;
    stopping.signal.throwIfAborted();
    await spool.append({ seq, json }).catch((cause: unknown) => {
      throw new ReportFailed(`cannot write to the spool: ${String(cause)}`, 'spool_failed', null, { cause });
    });
    next = { nextSeq: seq + 1, lastTMs: tMs };
    ended = kind === 'runtime_terminal';
    return seq;
  }

  async function report({ kind, data, tMs = Date.now() }: ReportedEvent): Promise<number> {
    stopping.signal.throwIfAborted();
    if (closed) throw new ReportFailed('the reporter is closed', 'closed');
    if (admitting >= MAX_WAITING) {
      throw new ReportFailed(
        `${MAX_WAITING} events are already waiting: await each report()`,
        'too_many_waiting',
      );
    }
    const json = legalData(kind, data, tMs);
    admitting += 1;
    const admission = admitted.then(() => admit(kind, tMs, json));
    admitted = admission
      .catch(() => {})
      .finally(() => {
        admitting -= 1;
        bell.ring();
      });
    return admission;
  }

  async function close(deadlineMs: number): Promise<ReporterClosed> {
    const stop = (): void => stopping.abort(new ReportFailed('the reporter is closed', 'closed'));
    const late = setTimeout(stop, deadlineMs);
    bell.ring();
    await sending;
    clearTimeout(late);
    stop();
    await admitted;
    const undelivered = spool.held().range;
    await spool.close();
    return { acknowledgedSeq, undelivered, failure };
  }

  return {
    report,
    ready: () => begun,
    acknowledgedSeq: () => acknowledgedSeq,
    failure: () => failure,
    close: ({ deadlineMs = CLOSE_DEADLINE_MS } = {}) => {
      closed ??= Promise.resolve().then(() => close(deadlineMs));
      return closed;
    },
  };
}

/** Returns the data as JSON. Throws if the contract or the server's limits do not allow the event. */
function legalData(kind: RunnerEventKind, data: JsonObject, tMs: number): string {
  const verdict = validateRunnerEventBatch({
    v: RUNNER_EVENT_VERSION,
    runId: 'any',
    events: [{ seq: 0, tMs, kind, data }],
  });
  if (!verdict.ok) throw new ReportFailed(verdict.message, verdict.code);
  const json = JSON.stringify(verdict.batch.events[0]!.data);
  // A UTF-16 unit has at most three bytes, so most events need not be counted.
  if (json.length * 3 > EVENT_MAX_BYTES && new TextEncoder().encode(json).length > EVENT_MAX_BYTES) {
    throw new ReportFailed(`an event may have at most ${EVENT_MAX_BYTES} bytes of JSON`, 'event_too_large');
  }
  return json;
}
