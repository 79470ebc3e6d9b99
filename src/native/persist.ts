import { createBackoff, pause } from '../lib/waiting/backoff.ts';
import type { ProviderFault } from './provider/fault.ts';
import type { NativeLimits } from './provider/limits.ts';
import type { Answer } from './provider/provider.ts';

/** Options of {@link persist}. */
export interface PersistOptions {
  readonly limits: NativeLimits;
  /** How long to keep trying, in milliseconds. */
  readonly patienceMs: number;
  readonly signal: AbortSignal;
  /** Is called and awaited before every retry. `attempt` starts at 1. */
  readonly onRetry: (fault: ProviderFault, attempt: number) => Promise<unknown>;
}

/**
 * Repeats a request until it is answered or refused, or `patienceMs` has passed; then the last `unavailable`
 * is returned. Pauses grow, are random, and are never shorter than the provider's `retry-after`.
 */
export async function persist<Body>(
  ask: () => Promise<Answer<Body>>,
  { limits, patienceMs, signal, onRetry }: PersistOptions,
): Promise<Answer<Body>> {
  const backoff = createBackoff({ firstMs: limits.backoffMs, longestMs: limits.maxBackoffMs });
  const deadline = performance.now() + patienceMs;
  for (let attempt = 1; ; attempt += 1) {
    const answer = await ask();
    if (answer.kind !== 'unavailable' || signal.aborted) return answer;
    const waitMs = answer.retryAfterMs + backoff.nextMs();
    if (performance.now() + waitMs > deadline) return answer;
    await onRetry(answer.fault, attempt);
    await pause(waitMs, signal);
    if (signal.aborted) return answer;
  }
}
