type Fields = Readonly<Record<string, unknown>>;

/** Returns a `message_start`. `more` overrides fields of the message. */
export function begins(id = 'msg_1', more: Fields = {}): Fields {
  const usage = { input_tokens: 10, output_tokens: 1 };
  return {
    type: 'message_start',
    message: { id, role: 'assistant', model: 'm', content: [], usage, ...more },
  };
}

export const blockStart = (index: number, block: Fields): Fields => ({
  type: 'content_block_start',
  index,
  content_block: block,
});
export const blockDelta = (index: number, delta: Fields): Fields => ({
  type: 'content_block_delta',
  index,
  delta,
});
export const blockStop = (index: number): Fields => ({ type: 'content_block_stop', index });

/** Returns a block that is complete in its start. */
export const block = (index: number, content: Fields): Fields[] => [
  blockStart(index, content),
  blockStop(index),
];

/** Returns a piece of text. */
export const says = (text: string, index = 0): Fields => blockDelta(index, { type: 'text_delta', text });

/** Returns a call with its input in the start of its block. */
export function asks(id: string, name: string, input: unknown = {}, index = 0): Fields[] {
  return block(index, { type: 'tool_use', id, name, input });
}

/** Returns a call with its input in pieces. */
export function asksInPieces(id: string, name: string, pieces: readonly string[], index = 0): Fields[] {
  return [
    blockStart(index, { type: 'tool_use', id, name, input: {} }),
    ...pieces.map((piece) => blockDelta(index, { type: 'input_json_delta', partial_json: piece })),
    blockStop(index),
  ];
}

/** Returns the end of a request. `more` has further fields of the delta. */
export function stops(reason: string, more: Fields = {}): Fields[] {
  return [
    {
      type: 'message_delta',
      delta: { stop_reason: reason, stop_sequence: null, ...more },
      usage: { output_tokens: 5 },
    },
    { type: 'message_stop' },
  ];
}

export function fails(message: string): Fields {
  return { type: 'error', error: { type: 'overloaded_error', message, details: null }, request_id: 'req_1' };
}

export const SKILL: Fields = { type: 'custom', skill_id: 'skill_1', version: '7' };

export const SAMPLES: readonly Fields[] = [
  begins(),
  begins('msg_2', { content: [{ type: 'tool_use', id: 'z', name: 'shell', input: {} }] }),
  says('hi'),
  ...block(1, { type: 'text', text: 'whole', citations: [{ type: 'char_location' }] }),
  ...asks('a', 'shell', { command: 'ls' }),
  ...asksInPieces('b', 'shell', ['', '{"a"', ':1}'], 2),
  ...block(3, { type: 'mcp_tool_use', id: 'c', name: 'find', server_name: 'docs', input: {} }),
  ...block(4, { type: 'mcp_tool_result', tool_use_id: 'c', is_error: false, content: [] }),
  ...block(5, {
    type: 'bash_code_execution_tool_result',
    tool_use_id: 'd',
    content: {
      type: 'bash_code_execution_result',
      return_code: 1,
      content: [{ type: 'x_output', file_id: 'f' }],
    },
  }),
  ...block(6, { type: 'thinking', thinking: 'hm', signature: '' }),
  ...block(7, { type: 'redacted_thinking', data: 'x' }),
  ...block(8, { type: 'container_upload', file_id: 'file_1' }),
  ...block(9, { type: 'compaction', content: null, encrypted_content: null }),
  ...block(10, { type: 'fallback', from: { model: 'a' }, to: { model: 'b' } }),
  blockDelta(6, { type: 'thinking_delta', thinking: 'so' }),
  blockDelta(6, { type: 'signature_delta', signature: 's' }),
  blockDelta(1, { type: 'citations_delta', citation: { type: 'web_search_result_location' } }),
  blockDelta(9, { type: 'compaction_delta', content: 'short', encrypted_content: 'x' }),
  ...stops('end_turn', { container: { id: 'c', skills: [SKILL] } }),
  ...stops('tool_use'),
  ...stops('refusal', { stop_details: { type: 'refusal', category: null } }),
  fails('no'),
  { type: 'ping' },
];
