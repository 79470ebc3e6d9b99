import { constants } from 'node:os';

/** What a shell makes of a process that a signal ended: 128 and the signal's number. */
export function codeOfSignal(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}
