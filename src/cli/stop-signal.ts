import { codeOfSignal } from './signal-code.ts';

/**
 * Resolves with the first SIGINT or SIGTERM. The second one ends the process at once, with the exit code that a shell
 * gives a process killed by that signal.
 */
export function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let first = true;
    const onSignal = (signal: NodeJS.Signals) => {
      if (!first) process.exit(codeOfSignal(signal));
      first = false;
      resolve(signal);
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
  });
}
