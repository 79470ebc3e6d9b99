import type { JsonObject } from '../../contract/events.ts';
import { fieldsOf, listOf, numberOf, objectOf, stringOf } from '../json.ts';
import type { Verdict } from '../outcome.ts';
import type { RunRecorder } from '../recorder.ts';

/** Returns the outcome of the turn that a `result` line ends. */
export function verdictOf(line: JsonObject): Verdict {
  const subtype = stringOf(line.subtype);
  const terminalReason = stringOf(line.terminal_reason);
  if (terminalReason === 'aborted_streaming' || terminalReason === 'aborted_tools') {
    return { outcome: 'cancelled', reason: terminalReason };
  }
  if (subtype === 'error_max_turns' || subtype === 'error_max_budget_usd') {
    return { outcome: 'limit', reason: subtype };
  }
  // Old versions have no subtype.
  if (subtype !== undefined && subtype !== 'success') return { outcome: 'failed', reason: 'result_error' };
  // If the API rejects a request, the CLI reports the turn as both a success and an error.
  if (line.is_error === true) return { outcome: 'failed', reason: 'api_error' };
  switch (line.stop_reason) {
    case 'refusal':
      return { outcome: 'refused', reason: 'refusal' };
    case 'max_tokens':
    case 'model_context_window_exceeded':
      return { outcome: 'truncated', reason: line.stop_reason };
    default:
      return { outcome: 'completed', reason: 'result' };
  }
}

/** Returns the fields of a `result` line that the terminal event repeats. */
export function totalsOf(line: JsonObject): JsonObject {
  const usage = objectOf(line.usage);
  return fieldsOf({
    usage: usage === null ? undefined : usageOf(usage),
    costUsd: numberOf(line.total_cost_usd),
    subtype: stringOf(line.subtype),
    stopReason: stringOf(line.stop_reason),
    turns: numberOf(line.num_turns),
    durationMs: numberOf(line.duration_ms),
  });
}

function usageOf(usage: JsonObject): JsonObject {
  return fieldsOf({
    inputTokens: numberOf(usage.input_tokens),
    outputTokens: numberOf(usage.output_tokens),
    cacheReadInputTokens: numberOf(usage.cache_read_input_tokens),
    cacheWriteInputTokens: numberOf(usage.cache_creation_input_tokens),
  });
}

/** Adds the messages of a failed turn to the terminal event's errors. */
export function blameResult(line: JsonObject, verdict: Verdict, run: RunRecorder): void {
  for (const error of listOf(line.errors) ?? []) {
    if (typeof error === 'string') run.blame(error);
  }
  const text = stringOf(line.result);
  if (verdict.outcome === 'failed' && text) run.blame(text);
}
