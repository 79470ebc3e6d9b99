/** A signal of its own that also follows others. */
export interface Leaving {
  readonly signal: AbortSignal;
  leave(reason?: unknown): void;
  /** Follows the others no longer; to be called in the end, or they hold on to it. */
  release(): void;
}

/** Leaves when one of these does, for its reason. `AbortSignal.any` leaks in Node 20 where one of them lives long. */
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
