import { setTimeout as sleep } from 'node:timers/promises';
import type { Call } from './calls.ts';
import type { Result } from './client.ts';
import type { FlyLimits } from './config.ts';
import type { Fault } from './faults.ts';

type Pauses = Pick<FlyLimits, 'pauseMs' | 'maxPauseMs'>;

/** Waits. Returns false if the call ended meanwhile. */
export async function paused(ms: number, call: Call): Promise<boolean> {
  try {
    await sleep(ms, undefined, { signal: call.signal });
    return true;
  } catch {
    return false;
  }
}

/**
 * Returns the milliseconds to wait after this fault before sending the request again, the `tried`th time.
 * Null if a call may not wait that long. Random, so that requests that failed together do not return
 * together.
 */
export function pauseAfter(fault: Fault, tried: number, limits: Pauses): number | null {
  if (fault.retryAfterMs !== null) return fault.retryAfterMs <= limits.maxPauseMs ? fault.retryAfterMs : null;
  const most = Math.min(limits.maxPauseMs, limits.pauseMs * 2 ** tried);
  return limits.pauseMs / 2 + Math.random() * (most - limits.pauseMs / 2);
}

/** Sends a repeatable request until it is answered or retrying cannot help. */
export async function retrying<Value>(
  send: () => Promise<Result<Value>>,
  limits: Pauses & Pick<FlyLimits, 'tries'>,
  call: Call,
): Promise<Result<Value>> {
  for (let tried = 1; ; tried += 1) {
    const result = await send();
    if (result.ok || tried >= limits.tries || !isPassing(result.fault)) return result;
    const pause = pauseAfter(result.fault, tried, limits);
    if (pause === null || !(await paused(pause, call))) return result;
  }
}

function isPassing({ kind }: Fault): boolean {
  return kind === 'unclear' || kind === 'throttled' || kind === 'busy';
}
