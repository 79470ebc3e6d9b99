import type { Output } from './output.ts';
import { codeOfSignal } from './signal-code.ts';

/** How long the reader has to take pending output after a signal, in milliseconds. */
const LAST_WRITE_MS = 500;

/**
 * Call after a signal. A pending write may still have an active reader; if the reader takes nothing, ends this
 * process.
 */
export async function leaveIfStuck(output: Output, signal: NodeJS.Signals): Promise<void> {
  if (!(await output.finishesWithin(LAST_WRITE_MS))) leaveBy(signal);
}

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
