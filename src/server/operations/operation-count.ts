/** The most concurrent operations on one socket. Above this, an operation is refused with OVERLOADED. */
export const MAX_OPERATIONS = 1_000;
/** A socket is closed when it is refused more often than this within {@link REFUSALS_MS}. */
const MAX_REFUSALS = 500;
const REFUSALS_MS = 10_000;

/** The number of recent refusals of one socket. */
export interface Refusals {
  count: number;
  /** When the count started, on the monotonic clock, in milliseconds. */
  since: number;
}

/** Counts a refusal. Returns true if the socket has been refused too often. */
export function countRefusal(refusals: Refusals): boolean {
  const now = performance.now();
  if (now - refusals.since > REFUSALS_MS) {
    refusals.since = now;
    refusals.count = 0;
  }
  refusals.count += 1;
  return refusals.count > MAX_REFUSALS;
}
