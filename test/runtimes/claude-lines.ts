import { createClaudeCodeAdapter } from '../../src/runtimes/claude-code.ts';
import { type Fields, playerOf } from './player.ts';

/** Plays lines of Claude Code. */
export const claude = playerOf(createClaudeCodeAdapter);

export const INIT: Fields = { type: 'system', subtype: 'init', session_id: 's1', model: 'sonnet', cwd: '/w' };

/** An `assistant` line with one message of these blocks. */
export function said(content: readonly unknown[] | string, more: Fields = {}, message: Fields = {}): Fields {
  return { type: 'assistant', message: { id: 'm1', role: 'assistant', content, ...message }, ...more };
}

/** A `user` line. */
export function heard(content: readonly unknown[] | string, more: Fields = {}): Fields {
  return { type: 'user', message: { role: 'user', content }, ...more };
}

export function text(words: string): Fields {
  return { type: 'text', text: words };
}

export function toolUse(id: string, name: string, input: unknown = {}): Fields {
  return { type: 'tool_use', id, name, input };
}

export function toolResult(id: string, content: unknown, more: Fields = {}): Fields {
  return { type: 'tool_result', tool_use_id: id, content, ...more };
}

export function result(more: Fields = {}): Fields {
  return { type: 'result', subtype: 'success', is_error: false, ...more };
}

/** A `stream_event` line, of a subagent if `parent` is given. */
export function streamed(event: Fields, parent: string | null = null): Fields {
  return { type: 'stream_event', event, parent_tool_use_id: parent };
}

export function messageStart(id: string, parent?: string): Fields {
  return streamed({ type: 'message_start', message: { id, model: 'sonnet' } }, parent);
}

/** A piece of a block that is streamed. */
export function piece(words: string, index = 0, parent?: string): Fields {
  return streamed({ type: 'content_block_delta', index, delta: { type: 'text_delta', text: words } }, parent);
}
