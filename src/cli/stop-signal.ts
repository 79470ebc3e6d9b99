import { codeOfSignal } from './signal-code.ts';

/** `timeout` and service managers send a signal to a process and to its group: the second one is the same wish. */
const SAME_SIGNAL_MS = 300;

/**
 * Resolves with the first SIGINT or SIGTERM. The second one ends the process at once, with the exit code that a shell
 * gives a process killed by that signal.
 */
export function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let firstAt: number | null = null;
    const onSignal = (signal: NodeJS.Signals) => {
      if (firstAt !== null) {
        if (performance.now() - firstAt >= SAME_SIGNAL_MS) process.exit(codeOfSignal(signal));
        return;
      }
      firstAt = performance.now();
      resolve(signal);
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
  });
}
