import type { JsonObject } from '../../contract/events.ts';
import type { RuntimeAdapter, RuntimeAdapterOptions } from '../adapter.ts';
import { fieldsOf, numberOf, objectOf, payloadOf, stringOf } from '../json.ts';
import { createLineAdapter, type LineReader } from '../line-adapter.ts';
import type { Verdict } from '../outcome.ts';
import type { RunRecorder } from '../recorder.ts';
import { createItemReader } from './items.ts';
import { phaseOf } from './phase.ts';

const SILENT_ERROR = 'Codex reported an error without a message';

/**
 * Creates an adapter for the output of `codex exec --json`. Codex prints nothing when it is interrupted: only
 * the exit passed to `end` distinguishes a stopped run from a failed one.
 */
export function createCodexAdapter(options: RuntimeAdapterOptions = {}): RuntimeAdapter {
  return createLineAdapter(createCodexReader(options.sessionName), options);
}

function createCodexReader(sessionName: string | undefined): LineReader {
  const items = createItemReader();
  // The verdict on the current or last turn: a resumed thread can contain several.
  let verdict: Verdict | null = null;
  let totals: JsonObject = {};
  let threadId: string | undefined;

  const readThreadStart = (line: JsonObject, run: RunRecorder): void => {
    const id = stringOf(line.thread_id);
    // `runtime_started` already has the first thread's id.
    if (id === undefined || id !== threadId) run.notify('thread_started', payloadOf(line));
  };

  const readError = (line: JsonObject, run: RunRecorder): void => {
    const message = stringOf(line.message) ?? SILENT_ERROR;
    const [, attempt, maxAttempts] = /^Reconnecting\.\.\. (\d{1,9})\/(\d{1,9})/.exec(message) ?? [];
    if (attempt === undefined) {
      run.warn(message);
      return;
    }
    items.reconnecting();
    run.warn(message, { retrying: true, attempt: Number(attempt), maxAttempts: Number(maxAttempts) });
  };

  return {
    describe(first) {
      if (first?.type === 'thread.started') threadId = stringOf(first.thread_id);
      return { runtime: 'codex', ...fieldsOf({ sessionName, sessionId: threadId }) };
    },
    read(type, line, run) {
      const phase = phaseOf(type);
      if (phase !== null) {
        items.read(phase, line, run);
        return;
      }
      switch (type) {
        case 'thread.started':
          readThreadStart(line, run);
          break;
        case 'turn.started':
          verdict = null;
          items.turnChanged();
          run.notify('turn_started', payloadOf(line));
          break;
        case 'turn.completed':
          verdict = { outcome: 'completed', reason: 'turn_completed' };
          totals = fieldsOf({ usage: usageOf(line) });
          items.turnChanged();
          run.notify('turn_completed', payloadOf(line));
          break;
        case 'turn.failed': {
          const message = stringOf(objectOf(line.error)?.message) ?? SILENT_ERROR;
          verdict = failureOf(message);
          items.turnChanged();
          run.blame(message);
          run.notify('turn_failed', payloadOf(line));
          break;
        }
        case 'error':
          readError(line, run);
          break;
        case 'item.plan.delta':
          run.notify('plan_delta', payloadOf(line));
          break;
        case 'request_user_input':
          run.notify('waiting', payloadOf(line));
          break;
        default:
          run.notify('unknown_line', line);
      }
    },
    conclude: () => ({ verdict, data: totals }),
  };
}

/** Derives the outcome from the message, because Codex reports the kind of failure only in words. */
function failureOf(message: string): Verdict {
  if (message.endsWith('reason: max_output_tokens')) {
    return { outcome: 'truncated', reason: 'max_output_tokens' };
  }
  if (message.includes('ran out of room in the model')) {
    return { outcome: 'limit', reason: 'context_window' };
  }
  return { outcome: 'failed', reason: 'turn_failed' };
}

function usageOf(line: JsonObject): JsonObject | undefined {
  const usage = objectOf(line.usage);
  if (usage === null) return undefined;
  return fieldsOf({
    inputTokens: numberOf(usage.input_tokens),
    outputTokens: numberOf(usage.output_tokens),
    cacheReadInputTokens: numberOf(usage.cached_input_tokens),
    cacheWriteInputTokens: numberOf(usage.cache_write_input_tokens),
    reasoningOutputTokens: numberOf(usage.reasoning_output_tokens),
  });
}
