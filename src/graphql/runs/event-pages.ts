import { z } from 'zod';
import { RUNNER_EVENT_KINDS, type RunnerEventKind } from '../../contract/events.ts';
import type { FeedBatch } from '../../feed/batches.ts';
import type { OmittedEvent, Page, Store, StoredEvent } from '../../store/store.ts';
import type { Context } from '../context.ts';
import { checkArguments } from '../errors/invalid-input.ts';
import type { Parts } from '../price/answer-budget.ts';
import {
  EVENTS_A_PAGE,
  FIRST_READ_BYTES,
  MAX_EVENTS_A_PAGE,
  NEXT_READ_BYTES,
  PAGE_COST,
} from '../price/limits.ts';

const MAX_BYTES = 4 * 1024 * 1024;
/** The bytes of an event in addition to its data. */
const EVENT_OVERHEAD_BYTES = 256;
/** The extra cost per event when a page waits for a turn: to read it, and to write a few of its fields. */
const EVENT_COST = 5;
/** After this many reads, a filter that finds too few events returns a short page to continue from. */
const MAX_READS = 20;

const cursor = z
  .string()
  .regex(/^(-1|\d{1,16})$/, 'must be the `seq` of an event')
  .transform(Number)
  .nullish();
const count = z.int().min(0).max(MAX_EVENTS_A_PAGE).nullish();

const argumentsSchema = z
  .object({
    after: cursor,
    before: cursor,
    first: count,
    last: count,
    kinds: z.array(z.enum(RUNNER_EVENT_KINDS)).min(1).max(RUNNER_EVENT_KINDS.length).nullish(),
  })
  .refine(({ first, last }) => first == null || last == null, 'first and last cannot be used together');

/** One page of a log, as a Relay connection. */
export interface EventsConnection {
  readonly edges: { readonly cursor: string; readonly node: StoredEvent }[];
  readonly pageInfo: {
    readonly hasNextPage: boolean;
    readonly hasPreviousPage: boolean;
    readonly startCursor: string | null;
    readonly endCursor: string | null;
  };
  readonly gap: FeedBatch['gap'];
}

/** Reads a page of a run's log, forward by `first` (the default) or backward by `last`. Edges ascend. */
export async function eventsConnection(
  { store, budget }: Pick<Context, 'store' | 'budget'>,
  run: number,
  args: unknown,
): Promise<EventsConnection> {
  const { after, before, first, last, kinds } = checkArguments(argumentsSchema, args);
  const backward = last != null;
  const from = after ?? -1;
  const until = before ?? Number.MAX_SAFE_INTEGER + 1;
  const wanted = (backward ? last : first) ?? EVENTS_A_PAGE;
  const found = await budget.read(PAGE_COST + wanted * EVENT_COST, (parts) =>
    collect(store, run, {
      direction: backward ? 'backward' : 'forward',
      start: backward ? until : from,
      within: (seq) => seq > from && seq < until,
      wanted,
      kinds: kinds ? new Set(kinds) : null,
      parts,
    }),
  );
  const events = backward ? found.events.toReversed() : found.events;
  const edge = found.reached === null ? null : String(found.reached);
  const firstCursor = events[0] ? String(events[0].seq) : null;
  const lastCursor = events.length > 0 ? String(events.at(-1)!.seq) : null;
  return {
    edges: events.map((node) => ({ cursor: String(node.seq), node })),
    pageInfo: {
      hasNextPage: backward ? before != null : found.more,
      hasPreviousPage: backward ? found.more : from >= 0,
      startCursor: backward && found.more ? edge : firstCursor,
      endCursor: !backward && found.more ? edge : lastCursor,
    },
    gap: gapWithin(from, until, found.removedThrough),
  };
}

/** Returns the removed events above `from` and below `until`. */
function gapWithin(from: number, until: number, removedThrough: number): FeedBatch['gap'] {
  const toSeq = Math.min(until - 1, removedThrough);
  return from < toSeq ? { fromSeq: from + 1, toSeq } : null;
}

/** Reads the event with this number, or null if it does not exist. Throws what reads of `budget` throw. */
export async function readEvent(
  store: Store,
  budget: Context['budget'],
  run: number,
  seq: number,
): Promise<StoredEvent | null> {
  const { event } = await budget.read(PAGE_COST, async (parts) => {
    for (let next: OmittedEvent | undefined; ; ) {
      const maxBytes = bytesOfPart(parts, next);
      const found = await parts.part(maxBytes, async () => {
        const page = await store.readPage(run, seq - 1, { maxEvents: 1, maxBytes, strict: true });
        const event = page?.events[0] ?? null;
        return { event, omitted: page?.omitted, bytes: event ? bytesOf(event) : 0 };
      });
      if (!found.omitted) return found;
      next = found.omitted;
    }
  });
  return event;
}

/** Returns the number of bytes that the next part of a read may bring: few while no size is known. */
function bytesOfPart(parts: Parts, next: OmittedEvent | undefined): number {
  if (!next) return Math.min(FIRST_READ_BYTES, parts.left());
  return Math.max(next.bytes + EVENT_OVERHEAD_BYTES, Math.min(NEXT_READ_BYTES, parts.left()));
}

function bytesOf({ data }: StoredEvent): number {
  return data.length + EVENT_OVERHEAD_BYTES;
}

interface Collect {
  readonly direction: 'forward' | 'backward';
  readonly start: number;
  readonly within: (seq: number) => boolean;
  readonly wanted: number;
  readonly kinds: ReadonlySet<RunnerEventKind> | null;
  readonly parts: Parts;
}

interface Collected {
  readonly events: readonly StoredEvent[];
  /** The last event that was examined; the next page starts after it. */
  readonly reached: number | null;
  readonly more: boolean;
  readonly bytes: number;
  /** The last number that retention removed; -1: none. */
  readonly removedThrough: number;
}

/** Reads until it has the requested events, the log ends, the page is large, or it has read often enough. */
async function collect(
  store: Store,
  run: number,
  { direction, start, within, wanted, kinds, parts }: Collect,
): Promise<Collected> {
  // The event that reaches this size is the last of the page.
  const maxPageBytes = Math.min(MAX_BYTES, parts.left());
  const events: StoredEvent[] = [];
  let reached: number | null = null;
  let bytes = 0;
  let next: OmittedEvent | undefined;
  let removedThrough = -1;

  function judge({ seq, kind }: Pick<StoredEvent, 'seq' | 'kind'>): 'end' | 'skip' | 'full' | 'take' {
    if (!within(seq)) return 'end';
    if (kinds && !kinds.has(kind)) return 'skip';
    return events.length >= wanted || bytes >= maxPageBytes ? 'full' : 'take';
  }

  /** Adds the events that belong to the page. Returns `on` if reading should continue. */
  function add(page: Page | null, maxEvents: number): 'end' | 'full' | 'on' {
    if (!page) return 'end';
    removedThrough = Math.max(removedThrough, page.head.removedThrough);
    for (const event of page.events) {
      const judged = judge(event);
      if (judged === 'end' || judged === 'full') return judged;
      reached = event.seq;
      if (judged === 'skip') continue;
      events.push(event);
      bytes += bytesOf(event);
    }
    next = page.omitted;
    if (!next) return page.events.length < maxEvents ? 'end' : 'on';
    const judged = judge(next);
    if (judged === 'end' || judged === 'full') return judged;
    if (judged === 'skip') {
      reached = next.seq;
      next = undefined;
    }
    return 'on';
  }

  for (let reads = 0; reads < MAX_READS; reads += 1) {
    const maxBytes = bytesOfPart(parts, next);
    // If this answer has no room for an event, the next page begins with it.
    if (events.length > 0 && maxBytes > parts.left()) break;
    const maxEvents = kinds ? MAX_EVENTS_A_PAGE + 1 : wanted - events.length + 1;
    const { state } = await parts.part(maxBytes, async () => {
      const before = bytes;
      const limits = { maxEvents, maxBytes, strict: true };
      const state = add(await store.readPage(run, reached ?? start, limits, direction), maxEvents);
      return { state, bytes: bytes - before };
    });
    if (state !== 'on') return { events, reached, more: state === 'full', bytes, removedThrough };
  }
  return { events, reached, more: true, bytes, removedThrough };
}
