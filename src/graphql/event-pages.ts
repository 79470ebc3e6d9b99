import { setImmediate as nextTurn } from 'node:timers/promises';
import { z } from 'zod';
import { RUNNER_EVENT_KINDS, type RunnerEventKind } from '../contract/events.ts';
import type { Store, StoredEvent } from '../store/store.ts';
import type { Context } from './context.ts';
import { responseTooLarge } from './faults.ts';
import { checkArguments } from './invalid-input.ts';

const MAX_EVENTS = 1_000;
const DEFAULT_EVENTS = 100;
const MAX_BYTES = 4 * 1024 * 1024;
/** What an answered event weighs beside its data: a million empty ones are no small answer. */
const EVENT_OVERHEAD_BYTES = 256;
/** A filter that finds too little gives up here and answers a short page to go on from. */
const MAX_READS = 20;

const cursor = z
  .string()
  .regex(/^(-1|\d{1,16})$/, 'must be the number of an event')
  .transform(Number)
  .nullish();
const count = z.int().min(0).max(MAX_EVENTS).nullish();

const argumentsSchema = z
  .object({
    after: cursor,
    before: cursor,
    first: count,
    last: count,
    kinds: z.array(z.enum(RUNNER_EVENT_KINDS)).min(1).nullish(),
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
  const found = await collect(store, run, {
    direction: backward ? 'backward' : 'forward',
    start: backward ? until : from,
    within: (seq) => seq > from && seq < until,
    wanted: (backward ? last : first) ?? DEFAULT_EVENTS,
    kinds: kinds ? new Set(kinds) : null,
  });
  budget.readBytes -= found.bytes + found.events.length * EVENT_OVERHEAD_BYTES;
  if (budget.readBytes < 0) throw responseTooLarge();
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

interface Collect {
  readonly direction: 'forward' | 'backward';
  readonly start: number;
  readonly within: (seq: number) => boolean;
  readonly wanted: number;
  readonly kinds: ReadonlySet<RunnerEventKind> | null;
}

/** Reads until it has what was wanted, the log ends, or the page is big or was long enough in the making. */
async function collect(
  store: Store,
  run: number,
  { direction, start, within, wanted, kinds }: Collect,
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
    if (reads > 0) await nextTurn();
    const limits = {
      maxEvents: kinds ? MAX_EVENTS + 1 : wanted - events.length + 1,
      maxBytes: MAX_BYTES,
    };
    const page = await store.readPage(run, reached ?? start, limits, direction);
    if (!page || page.events.length === 0) return { events, reached, more: false, bytes };
    for (const event of page.events) {
      if (!within(event.seq)) return { events, reached, more: false, bytes };
      const matches = !kinds || kinds.has(event.kind);
      if (matches && (events.length >= wanted || bytes >= MAX_BYTES))
        return { events, reached, more: true, bytes };
      if (matches) {
        events.push(event);
        bytes += event.data.length;
      }
      reached = event.seq;
    }
  }
  return { events, reached, more: true, bytes };
}
