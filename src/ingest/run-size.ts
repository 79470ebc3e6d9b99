import type { Head } from '../store/store.ts';

/** How large a run may get. What ends it as too large may go beyond that. */
export interface RunSizeLimits {
  /** Events of a run. Default 10,000,000. */
  readonly maxRunEvents: number;
  /** UTF-8 bytes of the data of a run's events. Default 16 GiB. */
  readonly maxRunBytes: number;
}

export const RUN_SIZE_LIMITS: RunSizeLimits = {
  maxRunEvents: 10_000_000,
  maxRunBytes: 16 * 1024 ** 3,
};

/** The limit that a log would be beyond, and the words for it. */
export interface Excess {
  /** The `reason` of the terminal event. */
  readonly reason: 'max_run_events' | 'max_run_bytes';
  readonly message: string;
}

/** Which limit a log that ended there would be beyond; null: none. There is always room for the event that ends it. */
export function excessOf({ eventCount, dataBytes, terminalSeq }: Head, limits: RunSizeLimits): Excess | null {
  const { maxRunEvents, maxRunBytes } = limits;
  if (eventCount - (terminalSeq === null ? 0 : 1) > maxRunEvents) {
    return { reason: 'max_run_events', message: `a run has at most ${maxRunEvents} events (MAX_RUN_EVENTS)` };
  }
  if (dataBytes > maxRunBytes) {
    return { reason: 'max_run_bytes', message: `a run has at most ${maxRunBytes} bytes (MAX_RUN_BYTES)` };
  }
  return null;
}

/** The data of the terminal event with which the server ends a run that would get too large. */
export function terminalOf({ reason, message }: Excess, now: number): string {
  return JSON.stringify({ outcome: 'limit', reason, message, at: new Date(now).toISOString() });
}
