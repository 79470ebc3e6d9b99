/** How long to wait between tries. */
export interface BackoffOptions {
  /** The first wait is at most so long, by default 250 ms; each further one may be twice as long. */
  readonly firstMs?: number;
  /** No wait is longer, by default 10 s. */
  readonly longestMs?: number;
}

/** Waits that grow while nothing succeeds. */
export interface Backoff {
  /** The next wait: anything from nothing to its limit, so that those who failed together do not come back together. */
  nextMs(): number;
  /** Something succeeded: the next wait is a first one. */
  reset(): void;
}

/** Begins with a first wait. */
export function createBackoff({ firstMs = 250, longestMs = 10_000 }: BackoffOptions = {}): Backoff {
  let limit = firstMs;
  return {
    nextMs: () => {
      const wait = Math.random() * Math.min(limit, longestMs);
      limit = Math.min(2 * limit, longestMs);
      return wait;
    },
    reset: () => {
      limit = firstMs;
    },
  };
}

/** Resolves after so long, or as soon as the signal aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const over = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', over);
      resolve();
    };
    const timer = setTimeout(over, ms);
    signal.addEventListener('abort', over, { once: true });
  });
}
