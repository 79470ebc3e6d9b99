/** An event that waits to be acknowledged. */
export interface SpooledEvent {
  readonly seq: number;
  /** All of it, `{ seq, tMs, kind, data }`, as JSON. */
  readonly json: string;
}

/** Events that are not released. */
export interface Held {
  /** Characters of JSON. */
  readonly characters: number;
  /** The numbers they lie between; null when there are none. */
  readonly range: SeqRange | null;
}

/** Numbers from one to another, both included. */
export interface SeqRange {
  readonly fromSeq: number;
  readonly toSeq: number;
}

/**
 * Where a reporter keeps events until the server has them, in order. One reporter at a time, which never calls a method
 * before the last call to the same one has resolved.
 */
export interface Spool {
  /** The cap, in characters of JSON: what does not fit has to wait. */
  readonly maxCharacters: number;
  /** What is in it that is not released. */
  held(): Held;
  /** The newest event in it, released or not; null when there is none. */
  last(): SpooledEvent | null;
  /** How many have not been taken yet. */
  waiting(): number;
  /** Adds the next one. Once it resolves the event outlives as much as this spool does. */
  append(event: SpooledEvent): Promise<void>;
  /** Of the oldest that were not taken yet some: at most so many of both, but at least one if there is one. */
  take(maxEvents: number, maxCharacters: number): Promise<readonly SpooledEvent[]>;
  /** The server has what was taken last. */
  release(events: readonly SpooledEvent[]): Promise<void>;
  /** Lets go of it; what is not released stays for the next reporter, if the spool can keep it. */
  close(): Promise<void>;
}

/** What is held in memory by default: 16 Mi characters. */
const MAX_CHARACTERS = 16 * 1024 * 1024;

/** A spool that is gone with its process. */
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

/** Counts what is held. */
export interface Tally {
  held(): Held;
  add(event: SpooledEvent): void;
  /** The oldest of those added. */
  release(events: readonly SpooledEvent[]): void;
}

/** Counts from nothing. */
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

/** How many events from this place on go together: within both limits, but at least one if there is one. */
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
