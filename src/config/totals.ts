import { getHeapStatistics } from 'node:v8';

/** How many bytes all clients together may have the process hold, by what they are held for. */
export interface Totals {
  /** Events and texts of answers that are being made. */
  readonly answerBytes: number;
  /** Payloads of feeds that are kept for the next subscriber who asks for the same. */
  readonly sharedPayloadBytes: number;
}

/** The totals for a process whose heap has this limit in bytes, by default this process. */
export function totalsOf(heapBytes: number = getHeapStatistics().heap_size_limit): Totals {
  return { answerBytes: Math.floor(heapBytes / 4), sharedPayloadBytes: Math.floor(heapBytes / 64) };
}
