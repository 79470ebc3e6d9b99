import type { Head } from '../store/store.ts';

/** The maximum size of a run. The terminal event that reports an exceeded limit may go beyond it. */
export interface RunSizeLimits {
  /** Events in a run. Default 10,000,000. */
  readonly maxRunEvents: number;
  /** Bytes of the `data` of all events in a run, in UTF-8. Default 16 GiB. */
  readonly maxRunBytes: number;
}

export const RUN_SIZE_LIMITS: RunSizeLimits = {
  maxRunEvents: 10_000_000,
  maxRunBytes: 16 * 1024 ** 3,
};

/** The limit that a log would exceed, and the message about it. */
export interface Excess {
  /** The `reason` of the terminal event. */
  readonly reason: 'max_run_events' | 'max_run_bytes';
  readonly message: string;
}

/**
 * Returns the limit that a log with this head exceeds, or null. The terminal event does not count as an
 * event, so that a full run can still end.
 */
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

/** Returns the JSON `data` of the terminal event of a run that would exceed a limit. */
export function terminalOf({ reason, message }: Excess, now: number): string {
  return JSON.stringify({ outcome: 'limit', reason, message, at: new Date(now).toISOString() });
}
