/** Wakes those who wait for something to be so. */
export interface Bell {
  /** Something has changed: everybody who waits looks again. */
  ring(): void;
  /** Resolves when the condition holds, the signal aborts or the time, if one is given, is over. */
  until(condition: () => boolean, signal: AbortSignal, withinMs?: number): Promise<void>;
}

/** A bell that nobody listens to yet. */
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
