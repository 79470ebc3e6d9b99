import { constants } from 'node:os';

/** The exit code that a shell reports for a process ended by a signal: 128 plus the signal's number. */
export function codeOfSignal(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}
