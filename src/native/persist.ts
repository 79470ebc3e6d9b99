import { createBackoff, pause } from '../lib/backoff.ts';
import type { NativeLimits } from './limits.ts';
import type { Answer } from './provider.ts';
import type { ProviderFault } from './provider-fault.ts';

/** What trying again needs. */
export interface PersistOptions {
  readonly limits: NativeLimits;
  /** How long it is tried. */
  readonly patienceMs: number;
  readonly signal: AbortSignal;
  /** Hears of every answer after which it is tried again. */
  readonly onRetry: (fault: ProviderFault, attempt: number) => Promise<unknown>;
}

/**
 * Asks until there is an answer, a refusal, or no patience left. Waits grow, are of random length, and are never shorter
 * than the provider asks for. An answer `unavailable` is the last one.
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
