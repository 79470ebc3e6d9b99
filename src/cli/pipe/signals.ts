/** The signals that end a run. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Routes this process's signals. */
export interface Signals {
  /** Aborts on the first signal that arrives while no handler is set. */
  readonly beforeStart: AbortSignal;
  /** The signal that aborted `beforeStart` and has not been handled since. */
  stoppedBy(): NodeJS.Signals | null;
  /** Sets the handler. It is called immediately if a signal has already arrived. */
  to(handle: (signal: NodeJS.Signals) => void): void;
  /** Restores the default effect of the signals. */
  release(): void;
}

/** Starts to catch SIGINT, SIGTERM and SIGHUP of this process. */
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
