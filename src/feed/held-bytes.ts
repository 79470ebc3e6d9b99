import type { StoredEvent } from '../store/store.ts';

/** Roughly what an event takes beside its data. */
const EVENT_OVERHEAD_BYTES = 200;

/**
 * V8 keeps a text that has any of these at two bytes a character. A one-byte text has none, which V8 knows without
 * looking through it.
 */
const WIDE = /[\u0100-\uffff]/;

/** Shorter texts count as two bytes a character: to find out takes longer than the difference is worth. */
const SHORT = 128;

/** How many bytes of memory an event takes, about. */
export function heldBytes({ data }: StoredEvent): number {
  return EVENT_OVERHEAD_BYTES + data.length * (data.length < SHORT || WIDE.test(data) ? 2 : 1);
}
