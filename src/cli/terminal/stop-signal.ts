import { codeOfSignal } from './signal-code.ts';

/** Repeats within this, in ms, are ignored: `timeout` and service managers also signal the process group. */
const SAME_SIGNAL_MS = 300;

/**
 * Resolves with the first of these signals, by default SIGINT or SIGTERM. A second signal ends the process
 * immediately, with the exit code that a shell reports for a process killed by that signal. SIGHUP is never such
 * a second signal: the system and the shell both send it when a terminal is closed.
 */
export function stopSignal(
  signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM'],
): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let firstAt: number | null = null;
    const onSignal = (signal: NodeJS.Signals) => {
      if (firstAt !== null) {
        if (signal !== 'SIGHUP' && performance.now() - firstAt >= SAME_SIGNAL_MS)
          process.exit(codeOfSignal(signal));
        return;
      }
      firstAt = performance.now();
      resolve(signal);
    };
    for (const signal of signals) process.on(signal, onSignal);
  });
}
