/** An event that the server has not acknowledged yet. */
export interface SpooledEvent {
  readonly seq: number;
  /** The whole event, `{ seq, tMs, kind, data }`, as JSON. */
  readonly json: string;
}

/** The events that are not released. */
export interface Held {
  /** Characters of JSON. */
  readonly characters: number;
  /** Their first and last number. Null if there are none. */
  readonly range: SeqRange | null;
}

/** A range of event numbers, both ends included. */
export interface SeqRange {
  readonly fromSeq: number;
  readonly toSeq: number;
}

/**
 * Holds a reporter's events, in order, until the server has them. Only one reporter may use a spool at a
 * time. It never calls a method before its previous call of the same method has resolved.
 */
export interface Spool {
  /** The capacity, in characters of JSON. An event that does not fit has to wait. */
  readonly maxCharacters: number;
  /** The events that are not released. */
  held(): Held;
  /** The newest event, released or not. Null if there is none. */
  last(): SpooledEvent | null;
  /** The number of events that have not been taken yet. */
  waiting(): number;
  /** Adds the next event. Once this resolves, the event is as durable as the spool. */
  append(event: SpooledEvent): Promise<void>;
  /** Takes the oldest waiting events within both limits, but at least one if any is waiting. */
  take(maxEvents: number, maxCharacters: number): Promise<readonly SpooledEvent[]>;
  /** Drops the events that were taken last: the server has them. */
  release(events: readonly SpooledEvent[]): Promise<void>;
  /** Closes the spool. Unreleased events stay for the next reporter, if the spool is durable. */
  close(): Promise<void>;
}

/** The default capacity in memory: 16 Mi characters. */
const MAX_CHARACTERS = 16 * 1024 * 1024;

/** Creates a spool in memory, which is lost with its process. `maxCharacters` defaults to 16 Mi. */
export function createMemorySpool(maxCharacters: number = MAX_CHARACTERS): Spool {
  const waiting: SpooledEvent[] = [];
  const tally = createTally();
  let last: SpooledEvent | null = null;
  return {
    maxCharacters,
    held: tally.held,
    last: () => last,
    waiting: () => waiting.length,
    append: async (event) => {
      waiting.push(event);
      tally.add(event);
      last = event;
    },
    take: async (maxEvents, maxTaken) => waiting.splice(0, howMany(waiting, 0, maxEvents, maxTaken)),
    release: async (events) => tally.release(events),
    close: async () => {},
  };
}

/** Counts the events that a spool holds. */
export interface Tally {
  held(): Held;
  add(event: SpooledEvent): void;
  /** The events must be the oldest ones that are held. */
  release(events: readonly SpooledEvent[]): void;
}

/** Creates a tally of zero events. */
export function createTally(): Tally {
  let count = 0;
  let characters = 0;
  let fromSeq = 0;
  let toSeq = 0;
  return {
    held: () => ({ characters, range: count > 0 ? { fromSeq, toSeq } : null }),
    add: ({ seq, json }) => {
      if (count === 0) fromSeq = seq;
      toSeq = seq;
      count += 1;
      characters += json.length;
    },
    release: (events) => {
      for (const { seq, json } of events) {
        count -= 1;
        characters -= json.length;
        fromSeq = seq + 1;
      }
    },
  };
}

/** The number of events, from index `from` on, that are within both limits; at least one if there is one. */
export function howMany(
  events: readonly SpooledEvent[],
  from: number,
  maxEvents: number,
  maxCharacters: number,
): number {
  let count = 0;
  let characters = 0;
  for (let place = from; place < events.length && count < maxEvents; place += 1) {
    characters += events[place]!.json.length;
    if (count > 0 && characters > maxCharacters) break;
    count += 1;
  }
  return count;
}
