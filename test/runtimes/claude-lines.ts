import { createClaudeCodeAdapter } from '../../src/runtimes/claude-code/claude-code.ts';
import { type Fields, playerOf } from './player.ts';

/** Plays lines of Claude Code. */
export const claude = playerOf(createClaudeCodeAdapter);

export const INIT: Fields = { type: 'system', subtype: 'init', session_id: 's1', model: 'sonnet', cwd: '/w' };

/** Returns an `assistant` line with one message of these blocks. */
export function said(content: readonly unknown[] | string, more: Fields = {}, message: Fields = {}): Fields {
  return { type: 'assistant', message: { id: 'm1', role: 'assistant', content, ...message }, ...more };
}

/** Returns a `user` line. */
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

/** Returns a `stream_event` line; `parent` makes it a subagent's. */
export function streamed(event: Fields, parent: string | null = null): Fields {
  return { type: 'stream_event', event, parent_tool_use_id: parent };
}

export function messageStart(id: string, parent?: string): Fields {
  return streamed({ type: 'message_start', message: { id, model: 'sonnet' } }, parent);
}

/** Returns a piece of a streamed block. */
export function piece(words: string, index = 0, parent?: string): Fields {
  return streamed({ type: 'content_block_delta', index, delta: { type: 'text_delta', text: words } }, parent);
}

/** Lines of every type. */
export const SAMPLES: readonly Fields[] = [
  { type: 'system', subtype: 'hook_started', hook_id: 'h' },
  INIT,
  {
    type: 'system',
    subtype: 'api_retry',
    attempt: 1,
    max_retries: 10,
    retry_delay_ms: 5,
    error: 'overloaded',
  },
  messageStart('m1'),
  streamed({ type: 'content_block_start', index: 0, content_block: text('He') }),
  piece('l'),
  piece('sub', 0, 'agent'),
  streamed({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: {} }),
  streamed({ type: 'error', error: { type: 'overloaded_error', message: 'busy' } }),
  said([text('Hello')], { uuid: 'u1' }),
  said([{ type: 'thinking', thinking: 'hm', signature: 's' }], { parent_tool_use_id: 'agent' }),
  said([toolUse('a', 'Skill', { skill: 'x' }), toolUse('b', 'AskUserQuestion')], { supersedes: ['u1'] }),
  said([{ type: 'web_fetch_tool_result', tool_use_id: 'c', content: { type: 'x_error', content: [] } }]),
  heard([toolResult('a', 'ok', { is_error: false })], { tool_use_result: { stdout: 'ok' } }),
  heard([{ type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } }]),
  { type: 'rate_limit_event', rate_limit_info: { status: 'rejected' } },
  { type: 'auth_status', error: 'expired' },
  { type: 'control_request', request_id: 'r', request: { subtype: 'can_use_tool' } },
  result({ usage: { input_tokens: 1 }, total_cost_usd: 1, errors: ['no'], stop_reason: 'refusal' }),
];
