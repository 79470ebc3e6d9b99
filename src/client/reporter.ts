import {
  type JsonObject,
  RUNNER_EVENT_BATCH_MAX_EVENTS,
  RUNNER_EVENT_VERSION,
  type RunnerEvent,
  type RunnerEventKind,
} from '../contract/events.ts';
import { validateRunnerEventBatch } from '../contract/validate.ts';
import type { BackoffOptions } from '../lib/backoff.ts';
import { createBell } from '../lib/bell.ts';
import { addressOf } from './address.ts';
import { createDelivery, type Place } from './delivery.ts';
import { ReportFailed } from './report-failed.ts';
import { createMemorySpool, type SeqRange, type Spool } from './spool.ts';
import type { Token } from './token.ts';

/** A batch is cut when it would hold more, in characters of JSON; the server takes 16 MiB. */
const BATCH_MAX_CHARACTERS = 1024 * 1024;
/** One event may be longer than that, up to so many bytes of JSON. */
const EVENT_MAX_BYTES = 15 * 1024 * 1024;
/** The most that may wait at once until there is room for them. */
const MAX_WAITING = 10_000;
const CLOSE_DEADLINE_MS = 10_000;

/** What a runner has to tell. */
export interface ReportedEvent {
  readonly kind: RunnerEventKind;
  readonly data: JsonObject;
  /** When, in Unix milliseconds; by default now. Never less than the event before: then that one's. */
  readonly tMs?: number;
}

/** Which run to report to, and how. */
export interface ReporterOptions {
  readonly runId: string;
  /** The server's address, with or without `/graphql`. */
  readonly url: string | URL;
  /** A function is called for the first request, and again whenever the server takes its token no longer. */
  readonly token?: Token;
  /** Number of the first event. By default the one after the spool's last or else, as the server says, the log's. */
  readonly nextSeq?: number;
  /** No event gets an earlier time; by default that of the event before `nextSeq`. Looked at only beside `nextSeq`. */
  readonly lastTMs?: number;
  /** Where events wait for the server; by default in memory. The reporter closes it. */
  readonly spool?: Spool;
  /** An event waits at most so long for others to go with; by default 50 ms. */
  readonly flushMs?: number;
  /** Hears how far the server has acknowledged. */
  readonly onAcknowledged?: (seq: number) => void;
  /** Hears why something has to be sent again. */
  readonly onRetry?: (error: Error) => void;
  readonly backoff?: BackoffOptions;
}

/** How a reporter ended. */
export interface ReporterClosed {
  /** Up to this number the server has everything; -1: nothing was acknowledged. */
  readonly acknowledgedSeq: number;
  /** What it was handed and has not delivered: gone, unless the spool keeps it. */
  readonly undelivered: SeqRange | null;
  /** What stopped it for good. */
  readonly failure: ReportFailed | null;
}

/** Sends a run's events: in order, each as often as it takes, until the server has it. */
export interface Reporter {
  /**
   * Hands an event over; resolves with its number once the spool has it, which waits for room. Events are numbered in
   * the order of the calls. Rejects with {@link ReportFailed}.
   */
  report(event: ReportedEvent): Promise<number>;
  /** Where it begins: everything below `nextSeq` was handed over before. */
  ready(): Promise<Place>;
  /** Up to this number the server has everything; -1 before the first acknowledgement. */
  acknowledgedSeq(): number;
  /** What stopped it for good; null while it works. */
  failure(): ReportFailed | null;
  /** Takes no more and resolves when all is delivered, it has failed, or the deadline (by default 10 s) has passed. */
  close(options?: { readonly deadlineMs?: number }): Promise<ReporterClosed>;
}

/** Starts a reporter. It goes on, over outages of any length, until it is closed or the server refuses for good. */
export function createReporter(options: ReporterOptions): Reporter {
  const { runId, token, backoff, flushMs = 50, spool = createMemorySpool() } = options;
  const { onAcknowledged = () => {}, onRetry = () => {} } = options;
  const url = addressOf(options.url);
  const delivery = createDelivery({ runId, url, token, backoff, onRetry });
  const stopping = new AbortController();
  const bell = createBell();
  let failure: ReportFailed | null = null;
  let acknowledgedSeq = -1;
  let closed: Promise<ReporterClosed> | null = null;
  let ended = false;
  /** Somebody waits for room. */
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
    let previousSeq: number | null = null;
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
      const [first] = events;
      if (!first) return;
      await delivery.deliver(events, previousSeq ?? first.seq - 1, stopping.signal);
      previousSeq = events.at(-1)!.seq;
      acknowledgedSeq = previousSeq;
      await spool.release(events);
      onAcknowledged(acknowledgedSeq);
      bell.ring();
    }
  }

  /** Numbers an event and puts it into the spool, as soon as there is room. */
  async function admit(kind: RunnerEventKind, wantedTMs: number, data: string): Promise<number> {
    await begun;
    if (ended)
      throw new ReportFailed('the run has ended: nothing follows its terminal event', 'run_terminated');
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
      throw new ReportFailed(`the spool took nothing: ${String(cause)}`, 'spool_failed', null, { cause });
    });
    next = { nextSeq: seq + 1, lastTMs: tMs };
    ended = kind === 'runtime_terminal';
    return seq;
  }

  async function report({ kind, data, tMs = Date.now() }: ReportedEvent): Promise<number> {
    stopping.signal.throwIfAborted();
    if (closed) throw new ReportFailed('the reporter was closed', 'closed');
    if (admitting >= MAX_WAITING) {
      throw new ReportFailed(`${MAX_WAITING} events wait already: await report()`, 'too_many_waiting');
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
    const stop = (): void => stopping.abort(new ReportFailed('the reporter was closed', 'closed'));
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

/** An event's data as JSON, when the contract and the server's limits allow the event. */
function legalData(kind: RunnerEventKind, data: JsonObject, tMs: number): string {
  const verdict = validateRunnerEventBatch({
    v: RUNNER_EVENT_VERSION,
    runId: 'any',
    events: [{ seq: 0, tMs, kind, data }],
  });
  if (!verdict.ok) throw new ReportFailed(verdict.message, verdict.code);
  const json = JSON.stringify(verdict.batch.events[0]!.data);
  // A character has three bytes at most: most events need no counting.
  if (json.length * 3 > EVENT_MAX_BYTES && new TextEncoder().encode(json).length > EVENT_MAX_BYTES) {
    throw new ReportFailed(`an event has at most ${EVENT_MAX_BYTES} bytes of JSON`, 'event_too_large');
  }
  return json;
}
