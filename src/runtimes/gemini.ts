import type { JsonObject } from '../contract/events.ts';
import type { RuntimeAdapter, RuntimeAdapterOptions } from './adapter.ts';
import { fieldsOf, numberOf, objectOf, payloadOf, stringOf } from './json.ts';
import { createLineAdapter, type LineReader } from './line-adapter.ts';
import type { Verdict } from './outcome.ts';
import type { RunRecorder } from './recorder.ts';

const SKILL_TOOL = 'activate_skill';

// Gemini stops when it reaches one of these limits, and then reports success.
const LIMITS = [
  ['Loop detected', 'loop_detected'],
  ['Maximum session turns exceeded', 'max_session_turns'],
] as const;

/** Creates an adapter for the output of `gemini --output-format stream-json`. */
export function createGeminiAdapter(options: RuntimeAdapterOptions = {}): RuntimeAdapter {
  return createLineAdapter(createGeminiReader(options.sessionName), options);
}

function createGeminiReader(sessionName: string | undefined): LineReader {
  let limit: Verdict | null = null;
  let verdict: Verdict | null = null;
  let totals: JsonObject = {};
  let sessionId: string | undefined;

  const readInit = (line: JsonObject, run: RunRecorder): void => {
    const id = stringOf(line.session_id);
    // `runtime_started` already has everything from the first `init`.
    if (id === undefined || id !== sessionId) run.notify('init', payloadOf(line));
  };

  const readError = (line: JsonObject, origin: JsonObject, run: RunRecorder): void => {
    const message = stringOf(line.message) ?? 'Gemini reported an error without a message';
    const found = LIMITS.find(([start]) => message.startsWith(start));
    if (found !== undefined) limit = { outcome: 'limit', reason: found[1] };
    run.warn(message, { ...fieldsOf({ severity: stringOf(line.severity) }), ...origin });
  };

  const readResult = (line: JsonObject, run: RunRecorder): void => {
    const error = objectOf(line.error);
    const message = stringOf(error?.message);
    if (message !== undefined) run.blame(message);
    verdict = line.status === 'success' ? (limit ?? COMPLETED) : failureOf(stringOf(error?.type));
    totals = fieldsOf({ usage: usageOf(line), durationMs: numberOf(objectOf(line.stats)?.duration_ms) });
    run.notify('result', payloadOf(line));
  };

  return {
    describe(first) {
      const init = first?.type === 'init' ? first : null;
      sessionId = stringOf(init?.session_id);
      return {
        runtime: 'gemini',
        ...fieldsOf({ sessionName, sessionId, model: stringOf(init?.model) }),
        ...originOf(init),
      };
    },
    read(type, line, run) {
      const origin = originOf(line);
      switch (type) {
        case 'init':
          readInit(line, run);
          break;
        case 'message':
          readMessage(line, origin, run);
          break;
        case 'tool_use':
          readToolUse(line, origin, run);
          break;
        case 'tool_result':
          readToolResult(line, origin, run);
          break;
        case 'error':
          readError(line, origin, run);
          break;
        case 'result':
          readResult(line, run);
          break;
        default:
          run.notify('unknown_line', line);
      }
    },
    conclude: () => ({ verdict, data: totals }),
  };
}

const COMPLETED: Verdict = { outcome: 'completed', reason: 'result' };

/** Derives the outcome from the name of Gemini's error class, which usually is just `unknown` or `Error`. */
function failureOf(errorType: string | undefined): Verdict {
  switch (errorType) {
    case 'FatalCancellationError':
      return { outcome: 'cancelled', reason: 'cancelled' };
    case 'FatalTurnLimitedError':
      return { outcome: 'limit', reason: 'max_session_turns' };
    default:
      return { outcome: 'failed', reason: 'result_error' };
  }
}

function usageOf(line: JsonObject): JsonObject | undefined {
  const stats = objectOf(line.stats);
  if (stats === null) return undefined;
  return fieldsOf({
    totalTokens: numberOf(stats.total_tokens),
    inputTokens: numberOf(stats.input_tokens),
    outputTokens: numberOf(stats.output_tokens),
    cacheReadInputTokens: numberOf(stats.cached),
  });
}

/** Returns the timestamp from the wire. The `tMs` of an event is the time of its arrival. */
function originOf(line: JsonObject | null): JsonObject {
  return fieldsOf({ timestamp: stringOf(line?.timestamp) });
}

function readMessage(line: JsonObject, origin: JsonObject, run: RunRecorder): void {
  const text = stringOf(line.content);
  if (text === undefined) run.notify('unknown_line', line);
  else if (line.role === 'assistant') run.emit('assistant_text', { text, ...origin });
  else {
    const role = line.role === 'user' ? 'user' : 'other';
    run.notify(`${role}_text`, { role, text }, origin);
  }
}

function readToolUse(line: JsonObject, origin: JsonObject, run: RunRecorder): void {
  const toolId = stringOf(line.tool_id);
  const name = stringOf(line.tool_name);
  if (toolId === undefined || name === undefined) {
    run.notify('invalid_tool_request', payloadOf(line));
    return;
  }
  run.tools.opened(toolId, { name });
  run.emit('tool_request', { toolId, name, input: line.parameters ?? {}, ...origin });
}

/** Reads a tool's result. Its output is the text for people, often empty, not what the model received. */
function readToolResult(line: JsonObject, origin: JsonObject, run: RunRecorder): void {
  const toolId = stringOf(line.tool_id);
  if (toolId === undefined) {
    run.notify('unknown_line', line);
    return;
  }
  const tool = run.tools.answered(toolId);
  const error = objectOf(line.error);
  const isError = line.status !== 'success';
  run.emit('tool_response', {
    toolId,
    ...fieldsOf({ name: tool?.name }),
    output: line.output ?? stringOf(error?.message) ?? null,
    ...fieldsOf({ errorType: stringOf(error?.type) }),
    isError,
    ...origin,
  });
  const [, skill] = /^Skill \*\*([^*]{1,512})\*\* activated/.exec(stringOf(line.output) ?? '') ?? [];
  if (tool?.name === SKILL_TOOL && !isError && skill !== undefined)
    run.emit('skill_loaded', { skill, toolId, ...origin });
}
