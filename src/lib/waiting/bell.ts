/** Wakes everything that waits for a condition. */
export interface Bell {
  /** Makes every waiter check its condition again. */
  ring(): void;
  /**
   * Resolves when the condition holds, the signal aborts, or `withinMs` milliseconds (if given) have passed.
   */
  until(condition: () => boolean, signal: AbortSignal, withinMs?: number): Promise<void>;
}

/** Creates a bell without waiters. */
export function createBell(): Bell {
  const waiting = new Set<() => void>();
  return {
    ring: () => {
      for (const look of [...waiting]) look();
    },
    until: (condition, signal, withinMs) => {
      if (condition() || signal.aborted) return Promise.resolve();
      return new Promise((resolve) => {
        const look = (): void => {
          if (condition()) leave();
        };
        const leave = (): void => {
          clearTimeout(timer);
          waiting.delete(look);
          signal.removeEventListener('abort', leave);
          resolve();
        };
        const timer = withinMs === undefined ? undefined : setTimeout(leave, withinMs);
        waiting.add(look);
        signal.addEventListener('abort', leave, { once: true });
      });
    },
  };
}
