import { z } from 'zod';
import { RUNNER_EVENT_KINDS, type RunnerEventKind } from '../contract/events.ts';
import type { Store, StoredEvent } from '../store/store.ts';
import type { Context } from './context.ts';
import { checkArguments } from './invalid-input.ts';

/** The longest page of a log, and its length where nothing is said. */
export const MAX_EVENTS_A_PAGE = 1_000;
export const EVENTS_A_PAGE = 100;
const MAX_BYTES = 4 * 1024 * 1024;
/** What an event takes next to its data. */
const EVENT_OVERHEAD_BYTES = 256;
/** What reading a page costs, in fields: 50 to 100 µs on SQLite. */
export const PAGE_COST = 50;
/** What each of its events adds where pages take turns: reading it, and writing a few of its fields. */
const EVENT_COST = 5;
/** A filter that finds too little gives up here and answers a short page to go on from. */
const MAX_READS = 20;

const cursor = z
  .string()
  .regex(/^(-1|\d{1,16})$/, 'must be the number of an event')
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
  .refine(({ first, last }) => first == null || last == null, 'first and last exclude each other');

/** One page of a log, as a relay connection. */
export interface EventsConnection {
  readonly edges: { readonly cursor: string; readonly node: StoredEvent }[];
  readonly pageInfo: {
    readonly hasNextPage: boolean;
    readonly hasPreviousPage: boolean;
    readonly startCursor: string | null;
    readonly endCursor: string | null;
  };
}

/** Reads a page of a run's log, forwards by `first` (the default) or backwards by `last`; edges always ascend. */
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
  const request = { cost: PAGE_COST + wanted * EVENT_COST, maxBytes: MAX_BYTES };
  const found = await budget.read(request, (maxBytes) =>
    collect(store, run, {
      direction: backward ? 'backward' : 'forward',
      start: backward ? until : from,
      within: (seq) => seq > from && seq < until,
      wanted,
      maxBytes,
      kinds: kinds ? new Set(kinds) : null,
      turn: () => budget.turn(request.cost),
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
  };
}

/** Reads the event of this number; null: there is none. */
export async function readEvent(
  store: Store,
  budget: Context['budget'],
  run: number,
  seq: number,
): Promise<StoredEvent | null> {
  const { event } = await budget.read(
    { cost: PAGE_COST, maxBytes: EVENT_OVERHEAD_BYTES },
    async (maxBytes) => {
      const page = await store.readPage(run, seq - 1, { maxEvents: 1, maxBytes });
      const event = page?.events[0] ?? null;
      return { event, bytes: event ? event.data.length + EVENT_OVERHEAD_BYTES : 0 };
    },
  );
  return event;
}

interface Collect {
  readonly direction: 'forward' | 'backward';
  readonly start: number;
  readonly within: (seq: number) => boolean;
  readonly wanted: number;
  /** The page ends with the event that reaches it. */
  readonly maxBytes: number;
  readonly kinds: ReadonlySet<RunnerEventKind> | null;
  /** Waits before one more page is read. */
  readonly turn: () => Promise<void>;
}

/** Reads until it has what was wanted, the log ends, or the page is big or was long enough in the making. */
async function collect(
  store: Store,
  run: number,
  { direction, start, within, wanted, maxBytes, kinds, turn }: Collect,
): Promise<{
  events: StoredEvent[];
  reached: number | null;
  more: boolean;
  bytes: number;
}> {
  const events: StoredEvent[] = [];
  let reached: number | null = null;
  let bytes = 0;
  for (let reads = 0; reads < MAX_READS; reads += 1) {
    // The embedded store reads synchronously: others get their turn between two pages.
    if (reads > 0) await turn();
    const limits = {
      maxEvents: kinds ? MAX_EVENTS_A_PAGE + 1 : wanted - events.length + 1,
      maxBytes,
    };
    const page = await store.readPage(run, reached ?? start, limits, direction);
    if (!page || page.events.length === 0) return { events, reached, more: false, bytes };
    for (const event of page.events) {
      if (!within(event.seq)) return { events, reached, more: false, bytes };
      const matches = !kinds || kinds.has(event.kind);
      if (matches && (events.length >= wanted || bytes >= maxBytes))
        return { events, reached, more: true, bytes };
      if (matches) {
        events.push(event);
        bytes += event.data.length + EVENT_OVERHEAD_BYTES;
      }
      reached = event.seq;
    }
  }
  return { events, reached, more: true, bytes };
}
