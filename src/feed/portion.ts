import type { RunnerEventKind } from '../contract/events.ts';
import type { StoredEvent } from '../store/store.ts';

/** How many bytes an event takes where it goes, at least those of its data. */
export type Weigh = (event: StoredEvent) => number;

/** What of a log is wanted, and how much of it at once. */
export interface PortionLimits {
  /** Which events are wanted; null: all. The terminal one always is. */
  readonly kinds: ReadonlySet<RunnerEventKind> | null;
  /** A portion ends after so many events … */
  readonly maxEvents: number;
  /** … or with the event that reaches so many bytes. */
  readonly maxBytes: number;
  /** Bytes of an event where it is written to; absent: those of its data. */
  readonly weigh?: Weigh | undefined;
}

/** Events in order, and the bytes that they take where they are written to. */
export interface Portion {
  readonly events: readonly StoredEvent[];
  readonly bytes: number;
}

/** Cuts the portion that begins at an index. Does not apply the filter `kinds`. */
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
 * Looks through events from an index on and adds those that are of the kinds, until they make a portion. Answers the
 * index after the last one that it looked at.
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
