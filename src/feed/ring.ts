import type { StoredEvent } from '../store/store.ts';
import type { Chunk } from '../wakeups/plane.ts';

/** How much a ring keeps. */
export interface RingLimits {
  readonly maxEvents: number;
  readonly maxBytes: number;
}

/** The newest committed events of one run, shared by all who follow it. */
export interface Ring {
  /** The ring holds every event of the log after this number … */
  from(): number;
  /** … up to this one. */
  to(): number;
  /** Takes a committed chunk. One that does not fit after the ring's end replaces what the ring holds. */
  take(chunk: Chunk): void;
  /** What it holds, ascending. Valid until the next chunk is taken. */
  events(): readonly StoredEvent[];
}

/** An empty ring at the end of a log. */
export function createRing(end: number, limits: RingLimits): Ring {
  let events: StoredEvent[] = [];
  let bytes = 0;
  let from = end;
  let to = end;

  function trim(): void {
    let count = 0;
    while (count < events.length && (events.length - count > limits.maxEvents || bytes > limits.maxBytes)) {
      bytes -= events[count]!.data.length;
      from = events[count]!.seq;
      count += 1;
    }
    if (count > 0) events = events.slice(count);
  }

  return {
    from: () => from,
    to: () => to,
    take: (chunk) => {
      if (chunk.head.lastSeq <= to) return;
      // Numbers may have legal gaps, so a missing chunk shows only in what the next one says it follows.
      if (chunk.previousSeq !== to) {
        events = [];
        bytes = 0;
        from = chunk.previousSeq;
      }
      for (const event of chunk.events) {
        events.push(event);
        bytes += event.data.length;
      }
      to = chunk.head.lastSeq;
      // Trimming by a quarter at a time keeps an append cheap.
      if (events.length > limits.maxEvents * 1.25 || bytes > limits.maxBytes) trim();
    },
    events: () => events,
  };
}

/** The index of the first event after a cursor, by halving. */
export function firstAfter(events: readonly StoredEvent[], cursor: number): number {
  let low = 0;
  let high = events.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (events[middle]!.seq > cursor) high = middle;
    else low = middle + 1;
  }
  return low;
}
