import { setTimeout as sleep } from 'node:timers/promises';
import { StoreUnavailable } from '../store/unavailable.ts';

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;

/**
 * Reads, and retries while the store is down, with growing pauses and jitter. Throws the last
 * `StoreUnavailable` after `patienceMs`, and the signal's reason as soon as it aborts.
 */
export async function withPatience<Value>(
  read: () => Promise<Value>,
  patienceMs: number,
  signal: AbortSignal,
): Promise<Value> {
  const deadline = performance.now() + patienceMs;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    signal.throwIfAborted();
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof StoreUnavailable) || performance.now() >= deadline) throw error;
    }
    await sleep(pause * (0.5 + Math.random()), undefined, { signal });
  }
}
