/** How long to wait between retries. */
export interface BackoffOptions {
  /** The upper limit of the first wait, 250 ms by default. It doubles for each further wait. */
  readonly firstMs?: number;
  /** The upper limit of every wait, 10 s by default. */
  readonly longestMs?: number;
}

/** Waiting times that grow until something succeeds. */
export interface Backoff {
  /**
   * Returns the next wait in milliseconds: random between 0 and its limit, so that clients that failed
   * together do not return together.
   */
  nextMs(): number;
  /** Starts over with a first wait, after a success. */
  reset(): void;
}

/** Creates waiting times that start with a first wait. */
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

/** Resolves after this time, or as soon as the signal aborts. */
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
