import type { JsonObject, JsonValue } from '../../contract/events.ts';
import { fieldsOf, idOf, listOf, objectOf, stringOf } from '../json.ts';
import type { RunRecorder } from '../recorder.ts';
import {
  type BlockContext,
  readMedia,
  readText,
  readThinking,
  readToolResult,
  readToolUse,
} from './blocks.ts';
import type { PartialMessages } from './partials.ts';

const MAX_REMEMBERED_LINES = 256;

/** Reads the messages of the assistant and the user, including those of subagents. */
export interface MessageReader {
  readAssistant(line: JsonObject, run: RunRecorder): void;
  readUser(line: JsonObject, run: RunRecorder): void;
  /** Reports that earlier lines, given by their `uuid`s, no longer count. Ignores any other value. */
  retract(uuids: JsonValue | undefined, run: RunRecorder): void;
}

/** Creates a reader that has seen no messages. */
export function createMessageReader(partials: PartialMessages): MessageReader {
  // Retractions name lines, but events have only the ids of messages.
  const messageOfLine = new Map<string, string>();

  const remember = (line: JsonObject, message: JsonObject): void => {
    const uuid = idOf(line.uuid);
    const messageId = idOf(message.id);
    if (uuid === undefined || messageId === undefined) return;
    messageOfLine.set(uuid, messageId);
    for (const oldest of messageOfLine.keys()) {
      if (messageOfLine.size <= MAX_REMEMBERED_LINES) break;
      messageOfLine.delete(oldest);
    }
  };

  const reader: MessageReader = {
    readAssistant(line, run) {
      const message = objectOf(line.message);
      const content = contentOf(message);
      if (message === null || content === null) {
        run.notify('unknown_line', line);
        return;
      }
      remember(line, message);
      const context = contextOf(line, stringOf(message.id));
      for (const block of content) readAssistantBlock(block, context, partials, run);
      if (content.length === 0) run.notify('empty_message', { role: 'assistant' }, context.origin);
      const errorType = stringOf(line.error);
      if (errorType !== undefined)
        run.warn(firstTextOf(content) ?? errorType, { errorType, ...context.origin });
      reader.retract(line.supersedes, run);
    },
    readUser(line, run) {
      const message = objectOf(line.message);
      const content = contentOf(message);
      if (message === null || content === null) {
        run.notify('unknown_line', line);
        return;
      }
      const results = content.filter((block) => objectOf(block)?.type === 'tool_result');
      // The CLI's own form of a result is outside of the message: its block is known only if there is just
      // one.
      const structured = results.length === 1 ? line.tool_use_result : undefined;
      const context = contextOf(line, stringOf(message.id));
      for (const block of content) readUserBlock(block, structured, context, run);
    },
    retract(uuids, run) {
      const retracted = listOf(uuids)?.flatMap((uuid) => stringOf(uuid) ?? []) ?? [];
      if (retracted.length === 0) return;
      const messageIds = new Set(retracted.flatMap((uuid) => messageOfLine.get(uuid) ?? []));
      run.notify('retracted', { uuids: retracted, messageIds: [...messageIds] });
    },
  };
  return reader;
}

/** Returns the blocks of a message. A string as content is one block of text. */
function contentOf(message: JsonObject | null): readonly JsonValue[] | null {
  const text = stringOf(message?.content);
  return text === undefined ? listOf(message?.content) : [{ type: 'text', text }];
}

function contextOf(line: JsonObject, messageId: string | undefined): BlockContext {
  const parent = stringOf(line.parent_tool_use_id);
  const synthetic = objectOf(line.message)?.model === '<synthetic>' || line.isSynthetic === true;
  return {
    parent: idOf(parent) ?? '',
    messageId,
    origin: fieldsOf({
      messageId,
      parentToolId: parent,
      synthetic: synthetic ? true : undefined,
      replay: line.isReplay === true ? true : undefined,
      aborted: line.aborted === true ? true : undefined,
    }),
  };
}

function firstTextOf(content: readonly JsonValue[]): string | undefined {
  for (const block of content) {
    const text = stringOf(objectOf(block)?.text);
    if (text) return text;
  }
  return undefined;
}

function readAssistantBlock(
  value: JsonValue,
  context: BlockContext,
  partials: PartialMessages,
  run: RunRecorder,
): void {
  const block = objectOf(value);
  const type = stringOf(block?.type);
  if (block === null || type === undefined) {
    run.notify('unknown_block', { block: value }, context.origin);
    return;
  }
  switch (type) {
    case 'text':
      readText(block, context, partials, run);
      break;
    case 'thinking':
    case 'redacted_thinking':
      readThinking(block, context, partials, run);
      break;
    case 'tool_use':
    case 'server_tool_use':
    case 'mcp_tool_use':
      readToolUse(block, context, run);
      break;
    case 'container_upload':
    case 'image':
    case 'document':
      readMedia('assistant', block, context, run);
      break;
    case 'compaction':
    case 'mcp_tool_listing':
      run.notify(type, block, context.origin);
      break;
    case 'fallback':
      run.notify('model_fallback', block, context.origin);
      break;
    default:
      if (type.endsWith('tool_result')) readToolResult(block, undefined, context, run);
      else run.notify('unknown_block', block, context.origin);
  }
}

function readUserBlock(
  value: JsonValue,
  structured: JsonValue | undefined,
  context: BlockContext,
  run: RunRecorder,
): void {
  const block = objectOf(value);
  switch (block?.type) {
    case 'tool_result':
      readToolResult(block, structured, context, run);
      break;
    case 'text':
      run.notify('user_text', { role: 'user', ...fieldsOf({ text: block.text }) }, context.origin);
      break;
    case 'container_upload':
    case 'image':
    case 'document':
      readMedia('user', block, context, run);
      break;
    default:
      run.notify('unknown_block', block ?? { block: value }, context.origin);
  }
}
