import type { JsonObject, JsonValue, RunnerEvent } from '../../contract/events.ts';
import type { RuntimeAdapter, RuntimeAdapterOptions } from '../adapter.ts';
import { fieldsOf, listOf, objectOf, stringOf } from '../json.ts';
import type { LineReader } from '../line-adapter.ts';
import type { Verdict } from '../outcome.ts';
import type { RunRecorder } from '../recorder.ts';
import { createSseAdapter } from '../sse-adapter.ts';
import { createBlockReader } from './blocks.ts';
import { createLoadLog, type LoadLog, skillLoads } from './loads.ts';
import { describeMessagesRequest } from './request.ts';
import { answerTool } from './results.ts';
import { createUsageMeter } from './usage.ts';

/** Options of the Messages adapter. */
export interface AnthropicMessagesOptions extends RuntimeAdapterOptions {
  /**
   * If true, the run is one request: its `message_stop` ends the run, even if it requests tools (completed,
   * `tool_use`). By default a run has as many requests as its host makes, and a stop for tools does not end
   * the run.
   */
  readonly singleRequest?: boolean;
}

/** An adapter to which the host also reports its own actions, which the wire does not show. */
export interface AnthropicMessagesAdapter extends RuntimeAdapter {
  /** Returns the `skill_loaded` and `file_uploaded` events of a request before the host sends it. */
  request(body: unknown): RunnerEvent[];
  /** Returns the `tool_response` of a tool that the host ran. `isError` defaults to false. */
  toolResult(toolId: string, output: JsonValue, isError?: boolean): RunnerEvent[];
  /** Returns true if the run is one request with a complete answer: later lines are only counted. */
  isWhole(): boolean;
}

/** Creates an adapter for the answers to `POST /v1/messages` with `stream: true`, one after the other. */
export function createAnthropicMessagesAdapter(
  options: AnthropicMessagesOptions = {},
): AnthropicMessagesAdapter {
  const loads = createLoadLog();
  const reader = createMessagesReader(options, loads);
  const { push, end, insert } = createSseAdapter(reader, options);
  return {
    push,
    end,
    request: (body) =>
      insert((run) => {
        for (const load of describeMessagesRequest(body)) loads.record(load, run);
      }),
    toolResult: (toolId, output, isError = false) =>
      insert((run) => answerTool({ toolId, output, isError }, run)),
    isWhole: reader.isWhole,
  };
}

function createMessagesReader(
  { sessionName, singleRequest = false }: AnthropicMessagesOptions,
  loads: LoadLog,
): LineReader & Pick<AnthropicMessagesAdapter, 'isWhole'> {
  const blocks = createBlockReader(loads);
  const usage = createUsageMeter();
  let announced: JsonObject | null = null;
  let phase: 'between' | 'answering' | 'stopped' = 'between';
  let messageId: string | undefined;
  let stopReason: string | undefined;
  let stop: JsonObject = {};
  let failure: Verdict | null = null;
  let pings = 0;
  let lateLines = 0;

  const readStart = (line: JsonObject, run: RunRecorder): void => {
    const message = objectOf(line.message);
    if (message === null) {
      run.notify('unknown_line', line);
      return;
    }
    if (phase === 'answering') run.notify('request_abandoned', fieldsOf({ messageId }));
    // A proxy that retries may send the same start twice.
    if (phase !== 'answering' || messageId !== stringOf(message.id)) usage.close();
    messageId = stringOf(message.id);
    phase = 'answering';
    failure = null;
    stop = {};
    stopReason = stringOf(message.stop_reason);
    usage.restate(objectOf(message.usage));
    if (line !== announced) run.notify('request_started', aboutMessage(message));
    blocks.begin(messageId, listOf(message.content) ?? [], run);
  };

  const readDelta = (line: JsonObject, run: RunRecorder): void => {
    const { type: _, ...payload } = line;
    const delta = objectOf(line.delta);
    stopReason = stringOf(delta?.stop_reason) ?? stopReason;
    stop = fieldsOf({
      stopSequence: stringOf(delta?.stop_sequence),
      stopDetails: delta?.stop_details ?? undefined,
    });
    usage.restate(objectOf(line.usage));
    for (const load of skillLoads(objectOf(delta?.container)?.skills)) loads.record(load, run);
    run.notify('message_delta', payload, fieldsOf({ messageId }));
  };

  const readStop = (run: RunRecorder): void => {
    blocks.abandon(run);
    phase = 'stopped';
    if (singleRequest || verdictOfStop(stopReason, singleRequest) !== null) return;
    const event = stopReason === 'tool_use' ? 'waiting' : 'request_finished';
    run.notify(event, fieldsOf({ stopReason }), fieldsOf({ messageId }));
  };

  const readError = (line: JsonObject, run: RunRecorder): void => {
    const error = objectOf(line.error);
    failure = { outcome: 'failed', reason: 'error' };
    run.warn(stringOf(error?.message) ?? 'The API reported an error without a message', {
      ...fieldsOf({
        errorType: stringOf(error?.type),
        details: error?.details ?? undefined,
        requestId: stringOf(line.request_id),
      }),
    });
  };

  return {
    isWhole: () => singleRequest && phase === 'stopped',
    describe(first) {
      announced = first;
      const message = first?.type === 'message_start' ? objectOf(first.message) : null;
      return {
        runtime: 'anthropic-messages',
        ...fieldsOf({ sessionName }),
        ...(message === null ? {} : aboutMessage(message)),
      };
    },
    read(type, line, run) {
      if (singleRequest && phase === 'stopped') {
        lateLines += 1;
        return;
      }
      switch (type) {
        case 'message_start':
          readStart(line, run);
          break;
        case 'content_block_start':
          blocks.start(line, run);
          break;
        case 'content_block_delta':
          blocks.delta(line, run);
          break;
        case 'content_block_stop':
          blocks.stop(line, run);
          break;
        case 'message_delta':
          readDelta(line, run);
          break;
        case 'message_stop':
          readStop(run);
          break;
        case 'error':
          readError(line, run);
          break;
        case 'ping':
          pings += 1;
          break;
        default:
          run.notify('unknown_line', line);
      }
    },
    conclude(run) {
      blocks.abandon(run);
      const verdict = failure ?? (phase === 'stopped' ? verdictOfStop(stopReason, singleRequest) : null);
      const counts = fieldsOf({ pings: pings || undefined, lateLines: lateLines || undefined });
      return { verdict, data: { ...fieldsOf({ stopReason }), ...stop, ...usage.summary(), ...counts } };
    },
  };
}

function aboutMessage(message: JsonObject): JsonObject {
  return fieldsOf({
    messageId: stringOf(message.id),
    model: stringOf(message.model),
    usage: objectOf(message.usage) ?? undefined,
  });
}

/** Returns the outcome that a stop reason implies; null if the host must send another request. */
function verdictOfStop(stopReason: string | undefined, singleRequest: boolean): Verdict | null {
  switch (stopReason) {
    case 'end_turn':
    case 'stop_sequence':
      return { outcome: 'completed', reason: stopReason };
    case 'max_tokens':
    case 'model_context_window_exceeded':
      return { outcome: 'truncated', reason: stopReason };
    case 'refusal':
      return { outcome: 'refused', reason: stopReason };
    case 'tool_use':
    case 'pause_turn':
    case 'compaction':
      return singleRequest ? { outcome: 'completed', reason: stopReason } : null;
    case undefined:
      return null;
    default:
      return { outcome: 'failed', reason: 'unknown_stop_reason' };
  }
}
