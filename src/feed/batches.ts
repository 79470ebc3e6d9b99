import type { RunnerEventKind } from '../contract/events.ts';
import { cancellable } from '../lib/cancellable.ts';
import type { StoredEvent } from '../store/store.ts';
import type { Feed } from './feed.ts';
import type { Step } from './follow.ts';

/** The most and the usual number of events in a batch, and the size at which one is cut. */
export const BATCH_MAX_EVENTS = 1_024;
export const BATCH_DEFAULT_EVENTS = 256;
export const BATCH_MAX_BYTES = 1024 * 1024;

/** While a filter lets nothing pass, the reader learns at least this often how far it has come. */
const PROGRESS_MS = 1_000;

/** What to read of a run. */
export interface FeedRequest {
  readonly run: number;
  /** Number of the last event seen; -1 from the start. */
  readonly after: number;
  /** Which events to deliver; null: all. The terminal one is always delivered. */
  readonly kinds: ReadonlySet<RunnerEventKind> | null;
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
  return cancellable((signal) => readBatches(feed, request, maxEvents, signal));
}

/** Reads a run event by event. Ends at once when it is left. Throws {@link EventsRemoved} where retention was faster. */
export function followEvents(feed: Feed, request: FeedRequest): AsyncGenerator<StoredEvent, void, undefined> {
  return cancellable(async function* (signal) {
    for await (const events of readEvents(feed, request, 1, BATCH_MAX_BYTES, signal)) yield* events;
  });
}

/** {@link followBatches} until the signal aborts. */
export async function* readBatches(
  feed: Feed,
  { run, after, kinds }: FeedRequest,
  maxEvents: number,
  signal: AbortSignal,
): AsyncGenerator<FeedBatch, void, undefined> {
  let told = after;
  let toldAt = Date.now();
  let place = after;
  let caughtUpOnce = false;
  const idleMs = () => (place === told ? null : toldAt + PROGRESS_MS - Date.now());
  const request = { run, after, maxEvents, maxBytes: BATCH_MAX_BYTES, idleMs };
  for await (const { events: all, cursor, gap, head } of feed.follow(request, signal)) {
    place = cursor;
    const events = kinds ? all.filter((event) => passes(event, kinds)) : all;
    const caughtUp = cursor >= head.lastSeq;
    const due = cursor !== told && Date.now() - toldAt >= PROGRESS_MS;
    if (events.length === 0 && !gap && !due && (caughtUpOnce || !caughtUp)) continue;
    told = cursor;
    toldAt = Date.now();
    caughtUpOnce ||= caughtUp;
    yield { events, cursor, caughtUp, ended: events.at(-1)?.kind === 'runtime_terminal', gap };
  }
}

/** {@link followEvents} until the signal aborts, in portions of at most so many events and about so many bytes. */
export async function* readEvents(
  feed: Feed,
  { run, after, kinds }: FeedRequest,
  maxEvents: number,
  maxBytes: number,
  signal: AbortSignal,
): AsyncGenerator<readonly StoredEvent[], void, undefined> {
  const request = { run, after, maxEvents, maxBytes, idleMs: () => null };
  for await (const { events, gap } of feed.follow(request, signal)) {
    if (gap) throw new EventsRemoved(gap.toSeq);
    const passing = kinds ? events.filter((event) => passes(event, kinds)) : events;
    if (passing.length > 0) yield passing;
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

function passes(event: StoredEvent, kinds: ReadonlySet<RunnerEventKind>): boolean {
  return kinds.has(event.kind) || event.kind === 'runtime_terminal';
}
