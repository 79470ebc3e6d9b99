import type { JsonObject, JsonValue } from '../../contract/events.ts';
import type { RuntimeAdapter, RuntimeAdapterOptions } from '../adapter.ts';
import { fieldsOf, objectOf, stringOf } from '../json.ts';
import type { LineReader } from '../line-adapter.ts';
import type { Verdict } from '../outcome.ts';
import type { RunRecorder } from '../recorder.ts';
import { createSseAdapter } from '../sse-adapter.ts';
import { createLoadLog, fileLoads, type LoadLog, skillLoads } from './loads.ts';
import { describeSession } from './request.ts';
import { answerTool } from './results.ts';
import { createSeenIds } from './seen.ts';
import { createSessionText } from './session-text.ts';
import { createUsageMeter } from './usage.ts';

/** Options of the sessions adapter. */
export interface AnthropicSessionsOptions extends RuntimeAdapterOptions {
  /** The answer to creating or getting the session, the only source for its skills and mounted files. */
  readonly session?: unknown;
}

/**
 * Creates an adapter for `GET /v1/sessions/{id}/events/stream`, with or without `event_deltas`. Events with a
 * known id are skipped, so that a host may pass the history first and then the stream.
 */
export function createAnthropicSessionsAdapter(options: AnthropicSessionsOptions = {}): RuntimeAdapter {
  const loads = createLoadLog();
  const { push, end, insert } = createSseAdapter(createSessionsReader(options, loads), options);
  insert((run) => {
    for (const load of describeSession(options.session)) loads.record(load, run);
  });
  return { push, end };
}

function createSessionsReader(
  { sessionName, session }: AnthropicSessionsOptions,
  loads: LoadLog,
): LineReader {
  const seen = createSeenIds();
  const text = createSessionText(seen);
  const usage = createUsageMeter();
  let announced: JsonObject | null = null;
  let verdict: Verdict | null = null;
  let stop: JsonObject = {};
  let repeated = 0;

  const readIdle = (line: JsonObject, origin: JsonObject, run: RunRecorder): void => {
    const reason = objectOf(line.stop_reason);
    verdict = verdictOfIdle(stringOf(reason?.type));
    stop = fieldsOf({
      stopReason: stringOf(reason?.type),
      stopDetails: reason?.stop_details ?? line.stop_details ?? undefined,
    });
    if (reason?.type === 'requires_action') run.notify('waiting', reason, { ...eventIdOf(line), ...origin });
    else run.notify('session.status_idle', payloadOf(line));
  };

  const readError = (line: JsonObject, origin: JsonObject, run: RunRecorder): void => {
    const error = objectOf(line.error);
    const retryStatus = stringOf(objectOf(error?.retry_status)?.type);
    const retrying = retryStatus === 'retrying';
    if (!retrying) verdict = { outcome: 'failed', reason: 'error' };
    run.warn(stringOf(error?.message) ?? 'The session reported an error without a message', {
      ...fieldsOf({ errorType: stringOf(error?.type), retrying: retrying || undefined, retryStatus }),
      ...eventIdOf(line),
      ...origin,
    });
  };

  const readKnown = (type: string, line: JsonObject, origin: JsonObject, run: RunRecorder): void => {
    switch (type) {
      case 'event_start':
        text.announce(line, run);
        break;
      case 'event_delta':
        text.tell(line, run);
        break;
      case 'agent.message':
        text.whole(line, { ...fieldsOf({ messageId: stringOf(line.id) }), ...origin }, run);
        break;
      case 'agent.thinking':
        run.notify('thinking', payloadOf(line));
        break;
      case 'agent.tool_use':
      case 'agent.mcp_tool_use':
      case 'agent.custom_tool_use':
        readToolUse(line, origin, run);
        break;
      case 'agent.tool_result':
      case 'agent.mcp_tool_result':
      case 'user.tool_result':
      case 'user.custom_tool_result':
        readToolResult(line, origin, run);
        break;
      case 'user.message':
        run.notify('user.message', payloadOf(line));
        for (const load of fileLoads(line.content)) loads.record(load, run);
        break;
      case 'session.error':
      case 'error':
        readError(line, origin, run);
        break;
      case 'session.status_running':
        verdict = null;
        if (line !== announced) run.notify(type, payloadOf(line));
        break;
      case 'session.status_idle':
        readIdle(line, origin, run);
        break;
      case 'session.status_terminated':
        verdict = { outcome: 'failed', reason: 'terminated' };
        run.notify(type, payloadOf(line));
        break;
      case 'session.deleted':
        verdict = { outcome: 'cancelled', reason: 'deleted' };
        run.notify(type, payloadOf(line));
        break;
      case 'session.updated':
        for (const load of skillLoads(objectOf(line.agent)?.skills)) loads.record(load, run);
        run.notify(type, payloadOf(line));
        break;
      case 'span.model_request_end':
        usage.add(objectOf(line.model_usage));
        run.notify(type, payloadOf(line));
        break;
      default:
        // Two dozen types today and more each month: their names are all that we know about them.
        run.notify(type, payloadOf(line));
    }
  };

  return {
    describe(first) {
      announced = first;
      const sessionId = stringOf(objectOf(session as JsonValue)?.id);
      return { runtime: 'anthropic-sessions', ...fieldsOf({ sessionName, sessionId }) };
    },
    read(type, line, run) {
      const id = stringOf(line.id);
      if (id !== undefined && seen.has(id)) {
        repeated += 1;
        return;
      }
      if (id !== undefined) seen.add(id);
      const threadId = stringOf(line.session_thread_id);
      readKnown(type, line, fieldsOf({ processedAt: stringOf(line.processed_at), threadId }), run);
    },
    conclude: () => ({
      verdict,
      data: { ...stop, ...usage.summary(), ...fieldsOf({ repeatedEvents: repeated || undefined }) },
    }),
  };
}

function payloadOf({ type: _, ...payload }: JsonObject): JsonObject {
  return payload;
}

/** Identifies the session's event, for events whose data does not. */
function eventIdOf(line: JsonObject): JsonObject {
  return fieldsOf({ eventId: stringOf(line.id) });
}

/** Reads a complete tool call. Its id is that of the event. */
function readToolUse(line: JsonObject, origin: JsonObject, run: RunRecorder): void {
  const toolId = stringOf(line.id);
  const name = stringOf(line.name);
  if (toolId === undefined || name === undefined) {
    run.notify('unknown_line', line);
    return;
  }
  run.tools.opened(toolId, { name });
  const permission = stringOf(line.evaluated_permission);
  const more = fieldsOf({ mcpServer: stringOf(line.mcp_server_name), permission });
  run.emit('tool_request', { toolId, name, input: line.input ?? {}, ...more, ...origin });
}

/** Reads a tool's result. Each kind of result names its call in a different field. */
function readToolResult(line: JsonObject, origin: JsonObject, run: RunRecorder): void {
  const toolId =
    stringOf(line.tool_use_id) ?? stringOf(line.mcp_tool_use_id) ?? stringOf(line.custom_tool_use_id);
  if (toolId === undefined) {
    run.notify('unknown_line', line);
    return;
  }
  const more = { ...eventIdOf(line), ...origin };
  answerTool({ toolId, output: line.content ?? null, isError: line.is_error === true, more }, run);
}

/** Returns the outcome of the run that an idle session implies; null if the host or a user must act first. */
function verdictOfIdle(stopReason: string | undefined): Verdict | null {
  switch (stopReason) {
    case 'end_turn':
      return { outcome: 'completed', reason: stopReason };
    case 'retries_exhausted':
      return { outcome: 'failed', reason: stopReason };
    case 'budget_reached':
      return { outcome: 'limit', reason: stopReason };
    case 'refusal':
      return { outcome: 'refused', reason: stopReason };
    case 'requires_action':
    case undefined:
      return null;
    default:
      return { outcome: 'failed', reason: 'unknown_stop_reason' };
  }
}
