import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Waits this long and resolves to true, or to false as soon as the signal aborts. Does not keep the process
 * alive.
 */
export async function rested(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  return sleep(milliseconds, true, { signal, ref: false }).catch(() => false);
}
