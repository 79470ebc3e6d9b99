import { codeOfSignal } from './signal-code.ts';

/**
 * Ends this process at once, by the signal itself: `process.exit` would wait for a write that nobody reads. Where the
 * signal does nothing by itself, as to the first process of a container, it is an exit with its code.
 */
export function leaveBy(signal: NodeJS.Signals): never {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
  process.exit(codeOfSignal(signal));
}
