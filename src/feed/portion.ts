import type { RunnerEventKind } from '../contract/events.ts';
import type { StoredEvent } from '../store/store.ts';

/** Returns the bytes that an event takes as written, at least those of its data. */
export type Weigh = (event: StoredEvent) => number;

/** Which events of a log to deliver, and how many at once. */
export interface PortionLimits {
  /** The kinds to deliver. Null delivers all. The terminal event is always delivered. */
  readonly kinds: ReadonlySet<RunnerEventKind> | null;
  /** A portion ends after this many events … */
  readonly maxEvents: number;
  /** … or with the event that reaches this many bytes. */
  readonly maxBytes: number;
  /** The bytes of an event as written. Defaults to those of its data. */
  readonly weigh?: Weigh | undefined;
}

/** Events in order, and their bytes as written. */
export interface Portion {
  readonly events: readonly StoredEvent[];
  readonly bytes: number;
}

/** Cuts the portion that starts at an index. Ignores `kinds`. */
export function cutPortion(
  events: readonly StoredEvent[],
  from: number,
  { maxEvents, maxBytes, weigh = weighData }: PortionLimits,
): Portion {
  const end = Math.min(events.length, from + maxEvents);
  let bytes = 0;
  let to = from;
  for (; to < end && bytes < maxBytes; to += 1) bytes += weigh(events[to]!);
  return { events: events.slice(from, to), bytes };
}

/**
 * Filters events from an index on and adds those of the kinds to `passing`, until they fill a portion.
 * Returns the index after the last event that it checked.
 */
export function passFrom(
  events: readonly StoredEvent[],
  from: number,
  kinds: ReadonlySet<RunnerEventKind>,
  { maxEvents, maxBytes, weigh = weighData }: PortionLimits,
  passing: StoredEvent[],
): number {
  let bytes = 0;
  let to = from;
  while (to < events.length && passing.length < maxEvents && bytes < maxBytes) {
    const event = events[to]!;
    if (kinds.has(event.kind) || event.kind === 'runtime_terminal') {
      passing.push(event);
      bytes += weigh(event);
    }
    to += 1;
  }
  return to;
}

function weighData(event: StoredEvent): number {
  return event.data.length;
}
