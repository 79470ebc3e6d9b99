/** The signals by which somebody ends a run. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Where this process's signals go. */
export interface Signals {
  /** Aborts with the first one that comes while nobody takes them. */
  readonly beforeStart: AbortSignal;
  /** The one that did that. */
  stoppedBy(): NodeJS.Signals | null;
  /** From now on this takes them, also one that has come already. */
  to(handle: (signal: NodeJS.Signals) => void): void;
  /** Takes none any more: they do what they do by themselves. */
  release(): void;
}

/** Takes this process's signals from here on. */
export function watchSignals(): Signals {
  const starting = new AbortController();
  let stoppedBy: NodeJS.Signals | null = null;
  let handler: ((signal: NodeJS.Signals) => void) | null = null;

  const take = (signal: NodeJS.Signals): void => {
    if (handler) handler(signal);
    else {
      stoppedBy ??= signal;
      starting.abort(new Error(`stopped by ${signal}`));
    }
  };
  for (const signal of SIGNALS) process.on(signal, take);

  return {
    beforeStart: starting.signal,
    stoppedBy: () => stoppedBy,
    to: (handle) => {
      handler = handle;
      if (stoppedBy) handle(stoppedBy);
      stoppedBy = null;
    },
    release: () => {
      for (const signal of SIGNALS) process.off(signal, take);
    },
  };
}
