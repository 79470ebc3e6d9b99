import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Reader } from '../../feed/cursor.ts';
import type { Load } from '../load/load.ts';

/** After this many payloads other subscribers get their turn, even if the sink accepts everything at once. */
const TURN_PAYLOADS = 64;

/** Bytes of payloads that cost as much as waking a subscriber: 1,500 times this is 12 MB, about 40 ms. */
const BYTES_PER_WAKE = 8 * 1024;
/** Larger payloads wait for a turn before they are written, even if another payload has just been written. */
const LARGE_BYTES = 64 * 1024;

/** The destination of one subscriber's payloads. */
export interface Sink {
  /** The owner that takes event-loop turns. Owners are served fairly. */
  readonly owner: object;
  isOpen(): boolean;
  /**
   * Writes payloads. Returns null if all of them were accepted at once. Otherwise resolves when they are, or
   * when the sink is closed.
   */
  write(payloads: readonly Buffer[]): Promise<void> | null;
}

/**
 * Writes a reader's payloads to a sink until either ends, then closes the reader. Reads more only when the
 * sink has accepted the previous portion, so a stalled sink holds one portion and the reader's position.
 */
export async function pump(
  reader: Reader<readonly Buffer[]>,
  sink: Sink,
  { waking }: Pick<Load, 'waking'>,
): Promise<void> {
  let sinceTurn = 0;
  /**
   * A separate function, because the frame of `pump` would keep the portion in memory while the sink stalls.
   */
  function writePortion(): Promise<void> | null | 'nothing' {
    const payloads = reader.take();
    if (!payloads) return 'nothing';
    sinceTurn += payloads.length;
    return sink.write(payloads);
  }
  /** True if the next payload has already had its turn. */
  let paid = false;
  try {
    while (!reader.ended() && sink.isOpen()) {
      const weight = paid ? 0 : reader.weight();
      if (weight >= LARGE_BYTES) {
        // Each subscriber may have a different payload. Writing all of them at once could fill the heap.
        const turn = waking.take(sink.owner, weight / BYTES_PER_WAKE);
        if (turn) await turn;
        if (!sink.isOpen()) break;
      }
      paid = false;
      const written = writePortion();
      if (written === 'nothing') {
        if (!reader.ended()) await reader.ready();
        // One event wakes all subscribers of a run, possibly thousands.
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
