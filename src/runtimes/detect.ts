import type { JsonObject } from '../contract/events.ts';
import { listOf, objectOf, parseObject, stringOf } from './json.ts';
import { RUNTIME_NAMES, type RuntimeName } from './registry.ts';

/** The error message if no line identifies the runtime. */
export const UNKNOWN_RUNTIME_MESSAGE = `Cannot detect the runtime from its output. Pass --runtime with one of: ${RUNTIME_NAMES.join(', ')}`;

/** Thrown when the beginning of a stream does not identify its runtime. */
export class UnknownRuntimeError extends Error {
  override readonly name = 'UnknownRuntimeError';
  constructor() {
    super(UNKNOWN_RUNTIME_MESSAGE);
  }
}

/**
 * Returns the runtime that wrote these first lines of a stream, by the first line that only one runtime
 * writes. Banners and other noise before that line are ignored. Throws {@link UnknownRuntimeError} if there
 * is no such line.
 */
export function detectRuntime(firstLines: readonly string[]): RuntimeName {
  for (const line of firstLines) {
    const name = recogniseLine(line);
    if (name !== null) return name;
  }
  throw new UnknownRuntimeError();
}

/** Returns the only runtime that writes such a line, or null. Lines of SSE streams begin with `data:`. */
export function recogniseLine(line: string): RuntimeName | null {
  const isFrame = line.startsWith('data:');
  const object = parseObject(isFrame ? line.slice('data:'.length) : line);
  const type = stringOf(object?.type);
  if (object === null || type === undefined) return null;
  return isFrame ? recogniseFrame(type, object) : recogniseObject(type, object);
}

function recogniseFrame(type: string, frame: JsonObject): RuntimeName | null {
  switch (type) {
    case 'message_start':
    case 'content_block_start':
    case 'content_block_delta':
    case 'content_block_stop':
    case 'message_delta':
    case 'message_stop':
    case 'ping':
      return 'anthropic-messages';
    case 'error':
      return objectOf(frame.error) === null ? null : 'anthropic-messages';
    case 'event_start':
    case 'event_delta':
      return 'anthropic-sessions';
    case 'Message':
    case 'Error':
    case 'Finish':
    case 'ModelChange':
    case 'Notification':
    case 'UpdateConversation':
    case 'ActiveRequests':
    case 'Ping':
      return 'goosed';
    default:
      return /^(?:session|agent|user|span|system|workflow_run)\./.test(type) ? 'anthropic-sessions' : null;
  }
}

function recogniseObject(type: string, line: JsonObject): RuntimeName | null {
  switch (type) {
    case 'system':
    case 'assistant':
    case 'user':
    case 'stream_event':
    case 'tool_progress':
    case 'rate_limit_event':
    case 'auth_status':
      return 'claude-code';
    case 'message':
      if (listOf(objectOf(line.message)?.content) !== null) return 'goose';
      return stringOf(line.content) === undefined ? null : 'gemini';
    case 'notification':
      return stringOf(line.extension_id) === undefined ? null : 'goose';
    case 'complete':
    case 'model_change':
      return 'goose';
    case 'init':
    case 'tool_use':
    case 'tool_result':
      return stringOf(line.timestamp) === undefined ? null : 'gemini';
    case 'result':
      // Claude Code's result has a subtype instead, or in old versions only the cost of the turn.
      if (stringOf(line.status) !== undefined) return 'gemini';
      return 'subtype' in line || 'total_cost_usd' in line ? 'claude-code' : null;
    case 'error':
      if (stringOf(line.error) !== undefined) return 'goose';
      if (stringOf(line.message) === undefined) return null;
      return stringOf(line.severity) === undefined ? 'codex' : 'gemini';
    default:
      return /^(?:thread|turn|item)\./.test(type) ? 'codex' : null;
  }
}
