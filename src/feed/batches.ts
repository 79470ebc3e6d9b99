import type { RunnerEventKind } from '../contract/events.ts';
import { cancellable } from '../lib/cancellable.ts';
import type { StoredEvent } from '../store/store.ts';
import type { Reader, Step } from './cursor.ts';
import type { Feed } from './feed.ts';
import type { PortionLimits, Weigh } from './portion.ts';

/** The maximum and default number of events in a batch, and the bytes at which a batch is cut. */
export const BATCH_MAX_EVENTS = 1_024;
export const BATCH_DEFAULT_EVENTS = 256;
export const BATCH_MAX_BYTES = 1024 * 1024;

/** While a filter skips everything, the reader gets a batch with its progress at least this often. */
const PROGRESS_MS = 1_000;
const NEVER = () => null;

/** Which events of a run to read. */
export interface FeedRequest {
  readonly run: number;
  /** The last `seq` that the reader has seen. -1 reads from the start. */
  readonly after: number;
  /** The kinds of events to deliver. Null delivers all. The terminal event is always delivered. */
  readonly kinds: ReadonlySet<RunnerEventKind> | null;
  /** Returns an event's bytes as written, by which batches are cut. Defaults to the bytes of its data. */
  readonly weigh?: Weigh | undefined;
  /** The client, whose readers share its turns of the event loop for filtering. Defaults to this reader. */
  readonly owner?: object | undefined;
}

/** A batch of a run's events, in order. */
export interface FeedBatch {
  readonly events: readonly StoredEvent[];
  /** The `after` with which to continue. -1 before the first event. */
  readonly cursor: number;
  /** True if the batch ends with the last event that was committed when the batch was created. */
  readonly caughtUp: boolean;
  /** True if this batch contains the run's terminal event. */
  readonly ended: boolean;
  readonly gap: Step['gap'];
}

/** Reads a run in batches, up to the one with the terminal event. Ends at once on `return()`. */
export function followBatches(
  feed: Feed,
  request: FeedRequest,
  maxEvents: number = BATCH_DEFAULT_EVENTS,
): AsyncGenerator<FeedBatch, void, undefined> {
  return cancellable((signal) => valuesOf(() => openBatches(feed, request, maxEvents, signal)));
}

/** Reads a run event by event. Ends at once on `return()`. Throws {@link EventsRemoved} at a gap. */
export function followEvents(feed: Feed, request: FeedRequest): AsyncGenerator<StoredEvent, void, undefined> {
  return cancellable(async function* (signal) {
    const limits = { maxEvents: 1, maxBytes: BATCH_MAX_BYTES };
    const open = () => openEvents(feed, request, limits, signal, (events) => events);
    for await (const events of valuesOf(open)) yield* events;
  });
}

/**
 * Opens the reader behind {@link followBatches}, for callers that do their own waiting. Returns null if the
 * signal aborts first. The caller must close the reader.
 */
export async function openBatches(
  feed: Feed,
  { run, after, kinds, weigh, owner }: FeedRequest,
  maxEvents: number,
  signal: AbortSignal,
): Promise<Reader<FeedBatch> | null> {
  let told = after;
  let toldAt = performance.now();
  let place = after;
  let caughtUpOnce = false;
  const idleMs = () => (place === told ? null : toldAt + PROGRESS_MS - performance.now());
  const steps = await feed.open(
    { run, after, kinds, maxEvents, maxBytes: BATCH_MAX_BYTES, weigh, owner, idleMs },
    signal,
  );
  return mapped(steps, ({ events, cursor, gap, head }) => {
    place = cursor;
    const caughtUp = cursor >= head.lastSeq;
    const due = cursor !== told && performance.now() - toldAt >= PROGRESS_MS;
    if (events.length === 0 && !gap && !due && (caughtUpOnce || !caughtUp)) return null;
    told = cursor;
    toldAt = performance.now();
    caughtUpOnce ||= caughtUp;
    return { events, cursor, caughtUp, ended: events.at(-1)?.kind === 'runtime_terminal', gap };
  });
}

/**
 * Opens the reader behind {@link followEvents}. `toValue` turns each portion of at least one event, within the
 * limits, into a value. Returns null if the signal aborts first. The caller must close the reader.
 */
export async function openEvents<Value>(
  feed: Feed,
  { run, after, kinds, weigh, owner }: FeedRequest,
  { maxEvents, maxBytes }: Pick<PortionLimits, 'maxEvents' | 'maxBytes'>,
  signal: AbortSignal,
  toValue: (events: readonly StoredEvent[]) => Value,
): Promise<Reader<Value> | null> {
  const steps = await feed.open(
    { run, after, kinds, maxEvents, maxBytes, weigh, owner, idleMs: NEVER },
    signal,
  );
  return mapped(steps, ({ events, gap }) => {
    if (gap) throw new EventsRemoved(gap.toSeq);
    return events.length > 0 ? toValue(events) : null;
  });
}

/** Returns a reader of mapped values. A value that maps to null is skipped. */
export function mapped<From, To>(
  reader: Reader<From> | null,
  map: (value: From) => To | null,
): Reader<To> | null {
  if (!reader) return null;
  return {
    ...reader,
    take: () => {
      for (let value = reader.take(); value !== null; value = reader.take()) {
        const other = map(value);
        if (other !== null) return other;
      }
      return null;
    },
  };
}

/** Yields all values of a reader. Opens the reader for the first value and closes it after the last. */
export async function* valuesOf<Value>(
  open: () => Promise<Reader<Value> | null>,
): AsyncGenerator<Value, void, undefined> {
  const reader = await open();
  if (!reader) return;
  try {
    for (;;) {
      const value = reader.take();
      if (value !== null) yield value;
      else if (reader.ended()) return;
      else await reader.ready();
    }
  } finally {
    reader.close();
  }
}

/** The cursor is before events that retention removed. Reading can continue after `through`. */
export class EventsRemoved extends Error {
  override readonly name = 'EventsRemoved';
  readonly through: number;
  constructor(through: number) {
    super(`events up to ${through} were removed: subscribe again with after: ${through}`);
    this.through = through;
  }
}
