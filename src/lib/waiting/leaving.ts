/** A signal that can be aborted directly and also follows other signals. */
export interface Leaving {
  readonly signal: AbortSignal;
  leave(reason?: unknown): void;
  /** Stops following the other signals. Must be called eventually, or they keep this signal in memory. */
  release(): void;
}

/**
 * Creates a signal that aborts when one of the others does, with its reason. `AbortSignal.any` leaks in Node
 * 20 if one of them is long-lived.
 */
export function leaveWith(...others: readonly (AbortSignal | undefined)[]): Leaving {
  const controller = new AbortController();
  const follow = (event: { readonly target: unknown }): void =>
    controller.abort((event.target as AbortSignal).reason);
  for (const other of others) {
    other?.addEventListener('abort', follow, { once: true });
    if (other?.aborted) controller.abort(other.reason);
  }
  return {
    signal: controller.signal,
    leave: (reason) => controller.abort(reason),
    release: () => {
      for (const other of others) other?.removeEventListener('abort', follow);
    },
  };
}
