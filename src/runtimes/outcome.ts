import type { RuntimeExit } from './adapter.ts';

/** The outcomes of a run. */
export type RunOutcome = 'completed' | 'failed' | 'cancelled' | 'truncated' | 'refused' | 'limit';

/** An outcome and its reason, one word in snake_case. */
export interface Verdict {
  readonly outcome: RunOutcome;
  readonly reason: string;
}

// Signals that stop a process on request; the others (SIGSEGV, SIGABRT …) mean that it crashed.
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
 * Decides how a run ended. If the stream reports an outcome other than success, that outcome counts, because
 * the stream knows more than the exit. Its success counts only if the process exited successfully. Silence is
 * never success.
 */
export function settle(proposed: Verdict | null, exit: RuntimeExit): Verdict {
  if (proposed !== null && proposed.outcome !== 'completed') return proposed;
  return verdictOfExit(exit) ?? proposed ?? { outcome: 'failed', reason: 'stream_ended_early' };
}
