import { RUNNER_EVENT_KINDS, type RunnerEventKind } from '../../contract/events.ts';
import type { Append, Head } from '../store.ts';

/**
 * Appends, packed for the writer thread. Cloning an object per event costs a third of storing it; columns of
 * numbers and one string of all data cost a tenth of that.
 */
export interface PackedAppends {
  readonly runs: readonly PackedRun[];
  /** Four numbers per event: seq, sourceSeq (NaN means null), tMs, committedAt. */
  readonly numbers: Float64Array;
  /** Per event, the index of its kind in `RUNNER_EVENT_KINDS`. */
  readonly kinds: Uint8Array;
  /** Per event, the length of its data in UTF-16 units. */
  readonly lengths: Uint32Array;
  readonly data: string;
}

interface PackedRun {
  readonly run: number;
  readonly expectedLastSeq: number;
  readonly head: Head;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  readonly count: number;
}

const NUMBERS = 4;
const KIND_PLACES = new Map(RUNNER_EVENT_KINDS.map((kind, place) => [kind, place]));

/** Packs appends into a few typed arrays and one string. {@link readRows} unpacks them. */
export function packAppends(appends: readonly Append[]): PackedAppends {
  const count = appends.reduce((sum, { events }) => sum + events.length, 0);
  const numbers = new Float64Array(count * NUMBERS);
  const kinds = new Uint8Array(count);
  const lengths = new Uint32Array(count);
  let data = '';
  let index = 0;
  for (const { events } of appends) {
    for (const event of events) {
      const at = index * NUMBERS;
      numbers[at] = event.seq;
      numbers[at + 1] = event.sourceSeq ?? Number.NaN;
      numbers[at + 2] = event.tMs;
      numbers[at + 3] = event.committedAt;
      kinds[index] = placeOf(event.kind);
      lengths[index] = event.data.length;
      data += event.data;
      index += 1;
    }
  }
  const runs = appends.map(({ run, expectedLastSeq, head, startedAt, endedAt, events }) => {
    return { run, expectedLastSeq, head, startedAt, endedAt, count: events.length };
  });
  return { runs, numbers, kinds, lengths, data };
}

function placeOf(kind: RunnerEventKind): number {
  const place = KIND_PLACES.get(kind);
  if (place === undefined) throw new Error(`unknown event kind ${kind}`);
  return place;
}

/** Reads packed events in order as rows of the event table. */
export interface PackedRows {
  /** Returns the values of the next `count` rows, one row after another. */
  take(run: number, count: number): EventValue[];
  /** Skips the next `count` rows. */
  skip(count: number): void;
}

/** A value of a column of the event table. */
export type EventValue = number | string | null;

/** Reads rows directly from the packed columns: an object per event would cost a quarter of storing it. */
export function readRows({ numbers, kinds, lengths, data }: PackedAppends): PackedRows {
  let index = 0;
  let from = 0;
  return {
    take: (run, count) => {
      const values: EventValue[] = [];
      for (const end = index + count; index < end; index += 1) {
        const at = index * NUMBERS;
        const sourceSeq = numbers[at + 1]!;
        const to = from + lengths[index]!;
        values.push(
          run,
          numbers[at]!,
          Number.isNaN(sourceSeq) ? null : sourceSeq,
          numbers[at + 2]!,
          RUNNER_EVENT_KINDS[kinds[index]!]!,
          data.slice(from, to),
          numbers[at + 3]!,
        );
        from = to;
      }
      return values;
    },
    skip: (count) => {
      for (const end = index + count; index < end; index += 1) from += lengths[index]!;
    },
  };
}
