import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Reader } from '../feed/cursor.ts';
import type { Load } from './load.ts';

/** Payloads after which others get their turn, even where the sink takes everything at once. */
const TURN_PAYLOADS = 64;

/** Bytes of payloads that take as long as waking a subscriber: 1,500 of them are 12 MB, about 40 ms. */
const BYTES_PER_WAKE = 8 * 1024;
/** What is larger is paid for before it is written, even behind something that was. */
const LARGE_BYTES = 64 * 1024;

/** Where one subscriber's payloads go. */
export interface Sink {
  /** Who shares turns of the loop with itself alone. */
  readonly owner: object;
  isOpen(): boolean;
  /** Writes payloads. Null: all of them were taken at once; else resolves when they were, or when the sink is closed. */
  write(payloads: readonly Buffer[]): Promise<void> | null;
}

/**
 * Writes what a reader has to a sink until either ends, then closes the reader. It reads on only when the sink has taken
 * what it was given, so a sink that stalls holds one portion and the reader's place.
 */
export async function pump(
  reader: Reader<readonly Buffer[]>,
  sink: Sink,
  { waking }: Pick<Load, 'waking'>,
): Promise<void> {
  let sinceTurn = 0;
  /** A function of its own: this one's frame would hold the portion while the sink stalls. */
  function writePortion(): Promise<void> | null | 'nothing' {
    const payloads = reader.take();
    if (!payloads) return 'nothing';
    sinceTurn += payloads.length;
    return sink.write(payloads);
  }
  /** Whether the turn of what is written next has come. */
  let paid = false;
  try {
    while (!reader.ended() && sink.isOpen()) {
      const weight = paid ? 0 : reader.weight();
      if (weight >= LARGE_BYTES) {
        // Each subscriber may have a payload of its own: all of them at once could fill the heap.
        const turn = waking.take(sink.owner, weight / BYTES_PER_WAKE);
        if (turn) await turn;
        if (!sink.isOpen()) break;
      }
      paid = false;
      const written = writePortion();
      if (written === 'nothing') {
        if (!reader.ended()) await reader.ready();
        // One event wakes all who follow a run, which may be thousands.
        const turn = waking.take(sink.owner, 1 + reader.weight() / BYTES_PER_WAKE);
        if (turn) await turn;
        paid = true;
      } else if (written) await written;
      else if (sinceTurn >= TURN_PAYLOADS) await nextTurn();
      else continue;
      sinceTurn = 0;
    }
  } finally {
    reader.close();
  }
}
