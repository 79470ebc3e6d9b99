import { setTimeout as sleep } from 'node:timers/promises';

/** Waits, and answers whether to go on: not when the signal has aborted. Keeps no process alive. */
export async function rested(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  return sleep(milliseconds, true, { signal, ref: false }).catch(() => false);
}
