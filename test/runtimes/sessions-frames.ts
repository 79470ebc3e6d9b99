type Fields = Readonly<Record<string, unknown>>;

const processed_at = '2030-01-01T00:00:00Z';

/** Returns any event of a session. */
export const event = (type: string, more: Fields = {}): Fields => ({ type, processed_at, ...more });

/** Returns an `agent.message` with one text block per text. */
export function message(id: string | undefined, ...texts: string[]): Fields {
  return event('agent.message', { id, content: texts.map((text) => ({ type: 'text', text })) });
}

export const says = (text: string): Fields => message(undefined, text);
export const asks = (id: string, name: string, input: unknown = {}): Fields =>
  event('agent.tool_use', { id, name, input, evaluated_permission: 'allow' });
export const returns = (toolId: string, text: string): Fields =>
  event('agent.tool_result', { tool_use_id: toolId, content: [{ type: 'text', text }], is_error: false });
export const idle = (reason: string, more: Fields = {}): Fields =>
  event('session.status_idle', { stop_reason: { type: reason, ...more } });
export const running = (): Fields => event('session.status_running');

/** Returns a `session.error`. `type` is the type of the error, `retry` its retry status. */
export function fails(text: string, retry = 'exhausted', type = 'unknown_error'): Fields {
  return event('session.error', { error: { type, message: text, retry_status: { type: retry } } });
}

export const announces = (id: string, type = 'agent.message'): Fields => ({
  type: 'event_start',
  event: { type, id },
});

/** Returns a piece of an incomplete message. */
export const piece = (id: string, text: string, index = 0): Fields => ({
  type: 'event_delta',
  event_id: id,
  delta: { type: 'content_delta', index, content: { type: 'text', text } },
});

export const SAMPLES: readonly Fields[] = [
  running(),
  message('e1', 'hi'),
  announces('e1'),
  announces('e2', 'agent.thinking'),
  piece('e1', 'h'),
  piece('e2', 'hm'),
  event('agent.thinking', { id: 'e2' }),
  asks('e3', 'bash'),
  event('agent.mcp_tool_use', { id: 'e4', name: 'find', mcp_server_name: 'docs', input: {} }),
  event('agent.custom_tool_use', { id: 'e5', name: 'mine', input: {} }),
  returns('e3', 'ok'),
  event('agent.mcp_tool_result', { id: 'e6', mcp_tool_use_id: 'e4', content: [], is_error: true }),
  event('user.custom_tool_result', { id: 'e7', custom_tool_use_id: 'e5', content: [] }),
  event('user.message', { content: [{ type: 'document', source: { type: 'file', file_id: 'f' } }] }),
  fails('no'),
  fails('wait', 'retrying'),
  event('session.updated', { agent: { skills: [{ type: 'custom', skill_id: 's', version: '1' }] } }),
  event('span.model_request_end', { model_usage: { input_tokens: 1, output_tokens: 2 } }),
  event('session.status_terminated'),
  event('session.deleted'),
  idle('end_turn'),
  idle('requires_action', { event_ids: ['e5'] }),
];
