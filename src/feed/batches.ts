import type { RunnerEventKind } from '../contract/events.ts';
import { cancellable } from '../lib/cancellable.ts';
import type { StoredEvent } from '../store/store.ts';
import type { Reader, Step } from './cursor.ts';
import type { Feed } from './feed.ts';
import type { Weigh } from './portion.ts';

/** The most and the usual number of events in a batch, and the size at which one is cut. */
export const BATCH_MAX_EVENTS = 1_024;
export const BATCH_DEFAULT_EVENTS = 256;
export const BATCH_MAX_BYTES = 1024 * 1024;

/** While a filter lets nothing pass, the reader learns at least this often how far it has come. */
const PROGRESS_MS = 1_000;
const NEVER = () => null;

/** What to read of a run. */
export interface FeedRequest {
  readonly run: number;
  /** Number of the last event seen; -1 from the start. */
  readonly after: number;
  /** Which events to deliver; null: all. The terminal one is always delivered. */
  readonly kinds: ReadonlySet<RunnerEventKind> | null;
  /** Bytes of an event where it is written to; absent: those of its data. Batches and portions are cut by it. */
  readonly weigh?: Weigh | undefined;
  /** Who shares turns of the loop with itself alone, where a filter passes over events; absent: this reader alone. */
  readonly owner?: object | undefined;
}

/** What was there, in order. */
export interface FeedBatch {
  readonly events: readonly StoredEvent[];
  /** Where to go on from; -1 before the first event. */
  readonly cursor: number;
  /** Whether the reader has everything that was committed when the batch was made. */
  readonly caughtUp: boolean;
  /** Whether the run's terminal event is in this batch. */
  readonly ended: boolean;
  readonly gap: Step['gap'];
}

/** Reads a run in batches, until the one that has the terminal event. Ends at once when it is left. */
export function followBatches(
  feed: Feed,
  request: FeedRequest,
  maxEvents: number = BATCH_DEFAULT_EVENTS,
): AsyncGenerator<FeedBatch, void, undefined> {
  return cancellable((signal) => valuesOf(() => openBatches(feed, request, maxEvents, signal)));
}

/** Reads a run event by event. Ends at once when it is left. Throws {@link EventsRemoved} where retention was faster. */
export function followEvents(feed: Feed, request: FeedRequest): AsyncGenerator<StoredEvent, void, undefined> {
  return cancellable(async function* (signal) {
    for await (const events of valuesOf(() => openEvents(feed, request, 1, BATCH_MAX_BYTES, signal))) {
      yield* events;
    }
  });
}

/** {@link followBatches} for those who wait by themselves; null when the signal aborts before it is open. */
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

/** {@link followEvents} likewise, in portions of at most so many events and about so many bytes. */
export async function openEvents(
  feed: Feed,
  { run, after, kinds, weigh, owner }: FeedRequest,
  maxEvents: number,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Reader<readonly StoredEvent[]> | null> {
  const steps = await feed.open(
    { run, after, kinds, maxEvents, maxBytes, weigh, owner, idleMs: NEVER },
    signal,
  );
  return mapped(steps, ({ events, gap }) => {
    if (gap) throw new EventsRemoved(gap.toSeq);
    return events.length > 0 ? events : null;
  });
}

/** A reader whose values become others; null leaves one out. */
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

/** All values of a reader, which is opened for the first one and closed after the last. */
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

/** The cursor lies before events that retention removed: one may go on after `through`. */
export class EventsRemoved extends Error {
  override readonly name = 'EventsRemoved';
  readonly through: number;
  constructor(through: number) {
    super(`events up to ${through} were removed: subscribe again with after: ${through}`);
    this.through = through;
  }
}
