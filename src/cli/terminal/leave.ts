import { codeOfSignal } from './signal-code.ts';

/**
 * Ends this process immediately with the signal itself: `process.exit` would wait for a write that has no
 * reader. Where the signal has no default effect, as for the first process of a container, exits with 128
 * plus its number.
 */
export function leaveBy(signal: NodeJS.Signals): never {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
  process.exit(codeOfSignal(signal));
}
