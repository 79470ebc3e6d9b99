import type { RunnerEvent, RunnerEventBatch } from '../../src/contract/events.ts';
import type { Script } from './script.ts';

/** A script of any length. Its events are computed, not stored. */
export interface EndlessScript extends Script {
  /** Returns the number of events, including the terminal one. Grows until the script is ended. */
  length(): number;
  /** Returns the event at this index. */
  event(place: number): RunnerEvent;
}

/** Compares the events that one subscriber receives with those sent. */
export interface Witness {
  /** Throws if an event differs from the one sent with its number. */
  take(event: RunnerEvent): void;
  /** Returns how many events were received for the first time. */
  seen(): number;
  /** Returns how many events were received again. */
  doubled(): number;
}

/** After every seven numbers, one is skipped. */
const EVENTS_PER_BLOCK = 7;
const NUMBERS_PER_BLOCK = 8;
/** Batch sizes as runners flush them: many small ones, and occasionally the largest allowed. */
const SIZES = [1, 3, 256, 12, 1, 40, 7, 120, 2, 64, 1, 18, 200, 5, 33, 9];
const STARTS = SIZES.map((_size, index) => SIZES.slice(0, index).reduce((sum, size) => sum + size, 0));
const SIZES_SUM = SIZES.reduce((sum, size) => sum + size, 0);

/** Creates a script. */
export function createEndlessScript(runId: string): EndlessScript {
  let length = 0;
  let ended = false;

  function event(place: number): RunnerEvent {
    const seq = Math.floor(place / EVENTS_PER_BLOCK) * NUMBERS_PER_BLOCK + (place % EVENTS_PER_BLOCK);
    const kind = ended && place === length - 1 ? 'runtime_terminal' : 'assistant_text';
    return { seq, tMs: 1_000 + place, kind, data: { runId, place, text: 'ab c'.repeat(place % 50) } };
  }

  return {
    runId,
    at: (index) => {
      const start = Math.floor(index / SIZES.length) * SIZES_SUM + STARTS[index % SIZES.length]!;
      const end = start + SIZES[index % SIZES.length]!;
      if (!ended) length = Math.max(length, end);
      if (start >= length) return undefined;
      return batch(runId, start, Math.min(end, length), event);
    },
    end: () => {
      length += 1;
      ended = true;
    },
    events: () => Array.from({ length }, (_, place) => event(place)),
    length: () => length,
    event,
  };
}

function batch(
  runId: string,
  start: number,
  end: number,
  event: (place: number) => RunnerEvent,
): RunnerEventBatch {
  return { v: 1, runId, events: Array.from({ length: end - start }, (_, offset) => event(start + offset)) };
}

/** Creates a witness that has received nothing yet. */
export function createWitness(script: EndlessScript): Witness {
  let next = 0;
  let seen = 0;
  let doubled = 0;
  return {
    take: (event) => {
      const place =
        Math.floor(event.seq / NUMBERS_PER_BLOCK) * EVENTS_PER_BLOCK + (event.seq % NUMBERS_PER_BLOCK);
      if (JSON.stringify(event) !== JSON.stringify(script.event(place)))
        throw new Error(`received an event that differs from the one sent: ${JSON.stringify(event)}`);
      if (place < next) {
        doubled += 1;
        return;
      }
      seen += 1;
      next = place + 1;
    },
    seen: () => seen,
    doubled: () => doubled,
  };
}
