/** Operations at once on one socket. Above this, an operation is refused with OVERLOADED. */
export const MAX_OPERATIONS = 1_000;
/** A socket that is refused more often than this within the time is closed. */
const MAX_REFUSALS = 500;
const REFUSALS_MS = 10_000;

/** What one socket has under way, and how often it was refused. */
export interface OperationCount {
  /** Messages that are being handled. The operation of a message, if it begins one, ends with it. */
  underWay: number;
  /** Whether the socket had too many operations when they were last counted, and none has ended since. */
  full: boolean;
  refusals: number;
  /** When the refusals began to be counted, by the monotonic clock. */
  since: number;
}

/** Counts from zero. */
export function createOperationCount(): OperationCount {
  return { underWay: 0, full: false, refusals: 0, since: 0 };
}

/** Whether the socket has too many operations. `countAll` counts them all: that takes long, and is done seldom. */
export function isFull(count: OperationCount, countAll: () => number): boolean {
  // Counting a thousand operations takes longer than all else that a refusal does.
  if (count.underWay > MAX_OPERATIONS) count.full ||= countAll() > MAX_OPERATIONS;
  return count.full;
}

/** Counts a refusal. Returns whether the socket has been refused too often. */
export function countRefusal(count: OperationCount): boolean {
  const now = performance.now();
  if (now - count.since > REFUSALS_MS) {
    count.since = now;
    count.refusals = 0;
  }
  count.refusals += 1;
  return count.refusals > MAX_REFUSALS;
}
