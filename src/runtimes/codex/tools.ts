import type { JsonObject, JsonValue } from '../../contract/events.ts';
import { fieldsOf, objectOf, stringOf } from '../json.ts';
import type { RunRecorder } from '../recorder.ts';
import type { ItemPhase } from './phase.ts';

interface ToolCall {
  readonly name: string;
  readonly input: JsonValue;
  /** Further fields of the request. */
  readonly about?: JsonObject;
  readonly output: JsonValue;
  /** Further fields of the response. */
  readonly details?: JsonObject;
}

/** Returns an item as a tool call, or null. Values that are unknown while it runs are null or absent. */
function toolCallOf(item: JsonObject): ToolCall | null {
  switch (item.type) {
    case 'command_execution':
      return {
        name: 'shell',
        input: { command: item.command ?? null },
        output: item.aggregated_output ?? null,
        details: fieldsOf({ exitCode: item.exit_code ?? undefined }),
      };
    case 'mcp_tool_call': {
      const server = stringOf(item.server);
      const tool = stringOf(item.tool) ?? 'unknown';
      const result = objectOf(item.result);
      return {
        name: server === undefined ? tool : `${server}.${tool}`,
        input: item.arguments ?? {},
        about: fieldsOf({ mcpServer: server }),
        output: result?.content ?? stringOf(objectOf(item.error)?.message) ?? null,
        details: fieldsOf({ structured: result?.structured_content ?? undefined }),
      };
    }
    case 'file_change': {
      const changes = item.changes ?? [];
      return {
        name: 'apply_patch',
        input: { changes },
        output: item.status ?? null,
        details: { files: changes },
      };
    }
    case 'web_search':
      return {
        name: 'web_search',
        input: fieldsOf({ query: item.query, action: item.action ?? undefined }),
        output: item.results ?? item.action ?? null,
      };
    case 'collab_tool_call': {
      const { tool, prompt, receiver_thread_ids: receiverThreadIds } = item;
      return {
        name: stringOf(tool) ?? 'collab',
        input: fieldsOf({ prompt: prompt ?? undefined, receiverThreadIds }),
        about: fieldsOf({ senderThreadId: item.sender_thread_id }),
        output: item.agents_states ?? null,
      };
    }
    default:
      return null;
  }
}

/** Reads an item; returns true if it is a tool call. If Codex reports only its end, emits both events. */
export function readToolItem(phase: ItemPhase, item: JsonObject, run: RunRecorder): boolean {
  const toolId = stringOf(item.id);
  const call = toolCallOf(item);
  if (toolId === undefined || call === null) return false;
  const known = run.tools.isOpen(toolId);
  if (phase === 'updated' || (phase === 'started' && known)) {
    run.notify('item_updated', item, { toolId });
    return true;
  }
  if (!known) {
    run.tools.opened(toolId, { name: call.name });
    run.emit('tool_request', { toolId, name: call.name, input: call.input, ...call.about });
  }
  if (phase === 'completed') readEnd(toolId, call, item, run);
  return true;
}

function readEnd(toolId: string, call: ToolCall, item: JsonObject, run: RunRecorder): void {
  const { name, output, details } = call;
  run.tools.answered(toolId);
  // A web search has no status.
  const isError = item.status !== undefined && item.status !== 'completed';
  run.emit('tool_response', { toolId, name, output, ...details, isError });
  if (item.type === 'command_execution' && !isError) {
    for (const skill of skillsReadBy(stringOf(item.command) ?? '')) {
      run.emit('skill_loaded', { skill, toolId, inferred: true });
    }
  }
}

/** Codex has no event for loading a skill: it reads the skill's `SKILL.md` with a command. */
function skillsReadBy(command: string): ReadonlySet<string> {
  const paths = command.matchAll(/\/skills\/(?:\.system\/)?([^/\s'"*?$]{1,512})\/SKILL\.md/g);
  return new Set([...paths].map(([, skill = '']) => skill));
}
