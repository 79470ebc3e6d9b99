/** Operations at once on one socket. Above this, an operation is refused with OVERLOADED. */
export const MAX_OPERATIONS = 1_000;
/** A socket that is refused more often than this within the time is closed. */
const MAX_REFUSALS = 500;
const REFUSALS_MS = 10_000;

/** How often one socket was refused. */
export interface Refusals {
  count: number;
  /** When they began to be counted, by the monotonic clock. */
  since: number;
}

/** Counts a refusal. Returns whether the socket has been refused too often. */
export function countRefusal(refusals: Refusals): boolean {
  const now = performance.now();
  if (now - refusals.since > REFUSALS_MS) {
    refusals.since = now;
    refusals.count = 0;
  }
  refusals.count += 1;
  return refusals.count > MAX_REFUSALS;
}
