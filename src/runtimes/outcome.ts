import type { RuntimeExit } from './adapter.ts';

/** How a run can end. */
export type RunOutcome = 'completed' | 'failed' | 'cancelled' | 'truncated' | 'refused' | 'limit';

/** An outcome and, in one snake_case word, what it was concluded from. */
export interface Verdict {
  readonly outcome: RunOutcome;
  readonly reason: string;
}

// Signals by which somebody stops a process; the others (SIGSEGV, SIGABRT …) say that it crashed.
const STOP_SIGNALS = new Map([
  ['SIGHUP', 1],
  ['SIGINT', 2],
  ['SIGQUIT', 3],
  ['SIGKILL', 9],
  ['SIGTERM', 15],
]);

// A shell reports a child that died of signal n as exit code 128 + n.
const STOP_CODES = new Set([...STOP_SIGNALS.values()].map((signal) => 128 + signal));

function verdictOfExit(exit: RuntimeExit): Verdict | null {
  if (exit.signal) {
    return {
      outcome: STOP_SIGNALS.has(exit.signal) ? 'cancelled' : 'failed',
      reason: 'signal',
    };
  }
  if (exit.exitCode === undefined || exit.exitCode === null || exit.exitCode === 0) return null;
  return STOP_CODES.has(exit.exitCode)
    ? { outcome: 'cancelled', reason: 'signal' }
    : { outcome: 'failed', reason: 'exit_code' };
}

/**
 * Settles how a run ended. A stream that tells of something else than success is believed, since it knows more than
 * the exit; its success is only believed of a process that ended well, and silence is never success.
 */
export function settle(proposed: Verdict | null, exit: RuntimeExit): Verdict {
  if (proposed !== null && proposed.outcome !== 'completed') return proposed;
  return verdictOfExit(exit) ?? proposed ?? { outcome: 'failed', reason: 'stream_ended_early' };
}
