import { setTimeout as sleep } from 'node:timers/promises';
import type { Call } from './calls.ts';
import type { Result } from './client.ts';
import type { FlyLimits } from './config.ts';
import type { Fault } from './faults.ts';

type Pauses = Pick<FlyLimits, 'pauseMs' | 'maxPauseMs'>;

/** Waits; false when the call ended meanwhile. */
export async function paused(ms: number, call: Call): Promise<boolean> {
  try {
    await sleep(ms, undefined, { signal: call.signal });
    return true;
  } catch {
    return false;
  }
}

/**
 * How long to wait after this fault before the same request again, the `tried`th time; null when that is longer than a
 * call may wait. Of random length, so that those who failed together do not come back together.
 */
export function pauseAfter(fault: Fault, tried: number, limits: Pauses): number | null {
  if (fault.retryAfterMs !== null) return fault.retryAfterMs <= limits.maxPauseMs ? fault.retryAfterMs : null;
  const most = Math.min(limits.maxPauseMs, limits.pauseMs * 2 ** tried);
  return limits.pauseMs / 2 + Math.random() * (most - limits.pauseMs / 2);
}

/** Sends what can be sent again without harm, until it is answered or there is no sense in going on. */
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
