import type { StoredEvent } from '../store/store.ts';
import type { Chunk } from '../wakeups/plane.ts';
import { heldBytes } from './held-bytes.ts';
import { cutPortion, type Portion, type PortionLimits } from './portion.ts';

/** The limits above which a ring drops its oldest events. */
export interface RingLimits {
  readonly maxEvents: number;
  /** Bytes of memory. */
  readonly maxBytes: number;
}

/** The newest committed events of one run, shared by all its readers. */
export interface Ring {
  /** The ring holds every event of the log after this number … */
  from(): number;
  /** … up to this one. */
  to(): number;
  /** Appends a committed chunk. A chunk that does not directly follow the end replaces all events. */
  take(chunk: Chunk): void;
  /** Drops all events. The ring's end stays where it is. */
  clear(): void;
  /** Returns the events in ascending order. The array is valid until the next `take`. */
  events(): readonly StoredEvent[];
  /**
   * Returns the events after the cursor, cut by the limits. Readers with the same cursor and limits get the same
   * object, so that thousands of readers need not cut their own.
   */
  portion(cursor: number, limits: PortionLimits): Portion;
  /** Returns the bytes of memory that the events take. */
  bytes(): number;
}

/** Portions remembered until the next chunk. Most subscribers of one run have the same limits. */
const REMEMBERED_PORTIONS = 4;

interface RememberedPortion extends Pick<PortionLimits, 'maxEvents' | 'maxBytes' | 'weigh'> {
  readonly cursor: number;
  readonly portion: Portion;
}

/** Creates an empty ring for a log that ends at `end`. */
export function createRing(end: number, limits: RingLimits): Ring {
  let events: StoredEvent[] = [];
  /** Bytes of each event, kept because a string with two bytes per character is scanned to count them. */
  let sizes: number[] = [];
  let bytes = 0;
  let from = end;
  let to = end;
  let portions: RememberedPortion[] = [];

  function emptyAfter(seq: number): void {
    portions = [];
    events = [];
    sizes = [];
    bytes = 0;
    from = seq;
  }

  function trim(): void {
    let count = 0;
    while (count < events.length && (events.length - count > limits.maxEvents || bytes > limits.maxBytes)) {
      bytes -= sizes[count]!;
      from = events[count]!.seq;
      count += 1;
    }
    if (count === 0) return;
    events = events.slice(count);
    sizes = sizes.slice(count);
  }

  return {
    from: () => from,
    to: () => to,
    take: (chunk) => {
      if (chunk.head.lastSeq <= to) return;
      portions = [];
      // Numbers may have legal gaps, so a missing chunk shows only in the `previousSeq` of the next one.
      if (chunk.previousSeq !== to) emptyAfter(chunk.previousSeq);
      for (const event of chunk.events) {
        const size = heldBytes(event);
        events.push(event);
        sizes.push(size);
        bytes += size;
      }
      to = chunk.head.lastSeq;
      // Trimming by a quarter at a time keeps an append cheap.
      if (events.length > limits.maxEvents * 1.25 || bytes > limits.maxBytes) trim();
    },
    clear: () => emptyAfter(to),
    events: () => events,
    portion: (cursor, limits) => {
      const { maxEvents, maxBytes, weigh } = limits;
      for (const known of portions) {
        if (
          known.cursor === cursor &&
          known.weigh === weigh &&
          known.maxEvents === maxEvents &&
          known.maxBytes === maxBytes
        )
          return known.portion;
      }
      const portion = cutPortion(events, firstAfter(events, cursor), limits);
      if (portions.length === REMEMBERED_PORTIONS) portions.shift();
      portions.push({ cursor, maxEvents, maxBytes, weigh, portion });
      return portion;
    },
    bytes: () => bytes,
  };
}

/** Returns the index of the first event after a cursor, or the length if there is none, by binary search. */
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
