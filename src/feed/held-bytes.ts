import type { StoredEvent } from '../store/store.ts';

/** Approximate bytes of an event in addition to its data. */
const EVENT_OVERHEAD_BYTES = 200;

/**
 * V8 stores a string with any of these characters at two bytes per character. For a one-byte string, V8 knows
 * that there is no match without scanning it.
 */
const WIDE = /[\u0100-\uffff]/;

/** Shorter strings count as two bytes per character: a check would cost more than it is worth. */
const SHORT = 128;

/** Returns approximately how many bytes of memory an event takes. */
export function heldBytes({ data }: StoredEvent): number {
  return EVENT_OVERHEAD_BYTES + data.length * (data.length < SHORT || WIDE.test(data) ? 2 : 1);
}
