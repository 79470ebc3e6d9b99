/** A batch's events, ready to be combined with a run's id. */
export interface PreparedBatch {
  readonly size: number;
  /** The number of the last event. */
  readonly lastSeq: number;
  /** The events as a JSON array. */
  readonly json: string;
}

/**
 * The events of every run. All runs have the same numbers and contents, so that one preparation serves all
 * writers.
 */
export interface PreparedEvents {
  /** Returns the batch at this index of a run, counted from 0. */
  batch(index: number): PreparedBatch;
}

const START_MS = 1_700_000_000_000;
const WORDS = 'the run reads a file and finds what it was looking for then writes one more line';

/** Returns an event of about 170 bytes of JSON. */
export function eventAt(seq: number): {
  seq: number;
  tMs: number;
  kind: string;
  data: Record<string, unknown>;
} {
  const tMs = START_MS + seq * 7;
  return seq % 8 === 7
    ? {
        seq,
        tMs,
        kind: 'tool_request',
        data: { id: `call_${seq}`, name: 'read_file', arguments: { path: `src/part-${seq % 97}.ts` } },
      }
    : { seq, tMs, kind: 'assistant_text', data: { text: `${seq} ${WORDS}`, messageId: `m${seq >> 5}` } };
}

/** Returns a batch of `size` events that starts with this number. */
export function batchFrom(first: number, size: number): PreparedBatch {
  const events = Array.from({ length: size }, (_, place) => eventAt(first + place));
  return { size, lastSeq: first + size - 1, json: JSON.stringify(events) };
}

/** Prepares the first `ahead` batches. Later ones are created on request. */
export function prepareEvents(size: number, ahead: number): PreparedEvents {
  const prepared: PreparedBatch[] = [];
  const batch = (index: number): PreparedBatch => {
    for (let next = prepared.length; next <= index; next += 1) prepared.push(batchFrom(next * size, size));
    return prepared[index]!;
  };
  if (ahead > 0) batch(ahead - 1);
  return { batch };
}
