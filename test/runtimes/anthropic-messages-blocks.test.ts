import { expect, test } from 'vitest';
import { createAnthropicMessagesAdapter } from '../../src/runtimes/anthropic/messages.ts';
import { type Fields, middleOf } from './adapters.ts';
import {
  asks,
  asksInPieces,
  begins,
  block,
  blockDelta,
  blockStart,
  blockStop,
  says,
  stops,
} from './messages-frames.ts';
import { push, runOf, terminalOf } from './messages-runs.ts';

const origin = { messageId: 'msg_1', blockIndex: 0 };

/** Returns the events of a message's lines, without its start. */
const told = (...lines: Fields[]): unknown[] => middleOf(runOf([begins(), ...lines]));

const notification = (event: string, payload: Fields, more: Fields = {}) => [
  'notification',
  { event, payload, ...more },
];

test('the first message starts the run, and each later one is a request of the same run', () => {
  const usage = { input_tokens: 10, output_tokens: 1 };
  const events = runOf([begins(), ...stops('pause_turn'), begins('msg_2'), ...stops('end_turn')]);
  expect(events[0]?.data).toEqual({
    runtime: 'anthropic-messages',
    messageId: 'msg_1',
    model: 'm',
    usage,
  });
  expect(events.map(({ kind, data }) => data.event ?? kind)).toEqual([
    'runtime_started',
    'message_delta',
    'request_finished',
    'request_started',
    'message_delta',
    'runtime_terminal',
  ]);
  expect(events[3]?.data.payload).toEqual({ messageId: 'msg_2', model: 'm', usage });
});

test('text is one delta per piece, and a block may begin with text', () => {
  expect(
    told(
      blockStart(0, { type: 'text', text: 'one ' }),
      says('two '),
      says(''),
      blockStop(0),
      says('three', 1),
    ),
  ).toEqual([
    ['assistant_text', { text: 'one ', ...origin }],
    ['assistant_text', { text: 'two ', ...origin }],
    ['assistant_text', { text: 'three', ...origin, blockIndex: 1 }],
  ]);
});

test('citations, thinking with its signature, compaction and a change of model are notifications', () => {
  const citation = { type: 'char_location', cited_text: 'x' };
  expect(
    told(
      blockDelta(0, { type: 'citations_delta', citation }),
      blockStart(0, { type: 'thinking', thinking: '', signature: '' }),
      blockDelta(0, { type: 'thinking_delta', thinking: 'hm', estimated_tokens: 3 }),
      blockDelta(0, { type: 'thinking_delta', thinking: '' }),
      blockDelta(0, { type: 'signature_delta', signature: 's' }),
      ...block(0, { type: 'redacted_thinking', data: 'secret' }),
      blockStart(0, { type: 'compaction', content: null, encrypted_content: null }),
      blockDelta(0, { type: 'compaction_delta', content: 'short', encrypted_content: 'e' }),
      ...block(0, { type: 'fallback', from: { model: 'a' }, to: { model: 'b' } }),
    ),
  ).toEqual([
    notification('citation', citation, origin),
    notification('thinking', { thinking: 'hm', estimated_tokens: 3 }, origin),
    notification('thinking', { signature: 's' }, origin),
    notification('thinking', { redacted: true }, origin),
    notification('compaction', { content: 'short', encrypted_content: 'e' }, origin),
    notification('model_fallback', { from: { model: 'a' }, to: { model: 'b' } }, origin),
  ]);
});

test('a tool is requested when its input is complete, and a missing input is an empty one', () => {
  const caller = { type: 'direct' };
  expect(
    told(
      blockStart(0, { type: 'tool_use', id: 'a', name: 'shell', input: {}, caller }),
      ...['', '{"command"', ':"ls"}'].map((piece) =>
        blockDelta(0, { type: 'input_json_delta', partial_json: piece }),
      ),
      blockStop(0),
      ...asksInPieces('b', 'now', [''], 1),
      ...asks('c', 'find', { q: 'x' }, 2),
    ),
  ).toEqual([
    ['tool_request', { toolId: 'a', name: 'shell', input: { command: 'ls' }, caller, ...origin }],
    ['tool_request', { toolId: 'b', name: 'now', input: {}, ...origin, blockIndex: 1 }],
    ['tool_request', { toolId: 'c', name: 'find', input: { q: 'x' }, ...origin, blockIndex: 2 }],
  ]);
});

test('inputs of several calls may arrive interleaved', () => {
  const requests = told(
    blockStart(0, { type: 'tool_use', id: 'a', name: 'x', input: {} }),
    blockStart(1, { type: 'tool_use', id: 'b', name: 'y', input: {} }),
    blockDelta(1, { type: 'input_json_delta', partial_json: '{"b":' }),
    blockDelta(0, { type: 'input_json_delta', partial_json: '{"a":1}' }),
    blockDelta(1, { type: 'input_json_delta', partial_json: '2}' }),
    blockStop(1),
    blockStop(0),
  );
  expect(requests).toMatchObject([
    ['tool_request', { toolId: 'b', input: { b: 2 } }],
    ['tool_request', { toolId: 'a', input: { a: 1 } }],
  ]);
});

test('tools that the provider runs are marked, and their results pair by id in any order', () => {
  const result = (id: string, content: unknown, more: Fields = {}) =>
    block(9, { type: 'web_search_tool_result', tool_use_id: id, content, ...more });
  const events = runOf([
    begins(),
    ...block(0, { type: 'server_tool_use', id: 'a', name: 'web_search', input: { query: 'x' } }),
    ...block(1, { type: 'mcp_tool_use', id: 'b', name: 'find', server_name: 'docs', input: {} }),
    ...block(2, { type: 'mcp_tool_result', tool_use_id: 'b', is_error: true, content: 'no' }),
    ...result('a', [{ type: 'web_search_result' }]),
    ...result('elsewhere', []),
  ]);
  const at = (blockIndex: number) => ({ messageId: 'msg_1', blockIndex });
  expect(middleOf(events)).toEqual([
    ['tool_request', { toolId: 'a', name: 'web_search', input: { query: 'x' }, server: true, ...at(0) }],
    ['tool_request', { toolId: 'b', name: 'find', input: {}, server: true, mcpServer: 'docs', ...at(1) }],
    ['tool_response', { toolId: 'b', name: 'find', output: 'no', isError: true, ...at(2) }],
    [
      'tool_response',
      { toolId: 'a', name: 'web_search', output: [{ type: 'web_search_result' }], isError: false, ...at(9) },
    ],
    ['tool_response', { toolId: 'elsewhere', output: [], isError: false, ...at(9) }],
  ]);
  expect(events.at(-1)?.data).not.toHaveProperty('openTools');
});

test('a result is an error by its type or its return code, and names the files that the tool wrote', () => {
  const response = (type: string, content: Fields) =>
    (told(...block(0, { type, tool_use_id: 'a', content }))[0] as [string, Fields])[1];
  const failed = { type: 'web_fetch_tool_result_error', error_code: 'unavailable' };
  const files = [
    { type: 'bash_code_execution_output', file_id: 'file_1' },
    { type: 'other', file_id: 'file_2' },
  ];
  expect(response('web_fetch_tool_result', failed).isError).toBe(true);
  const ran = { type: 'bash_code_execution_result', return_code: 2, content: files };
  expect(response('bash_code_execution_tool_result', ran)).toMatchObject({
    isError: true,
    output: ran,
    files: [{ fileId: 'file_1' }],
  });
  expect(response('bash_code_execution_tool_result', { ...ran, return_code: 0 }).isError).toBe(false);
  expect(response('tool_of_the_future_tool_result', { type: 'x' })).toMatchObject({ isError: false });
});

test('a call whose input is incomplete or not JSON is not a request', () => {
  const cut = [
    blockStart(0, { type: 'tool_use', id: 'a', name: 'shell', input: {} }),
    blockDelta(0, { type: 'input_json_delta', partial_json: '{"comm' }),
  ];
  const incomplete = notification(
    'incomplete_tool_request',
    { toolId: 'a', name: 'shell', inputText: '{"comm' },
    origin,
  );
  expect(told(...cut)).toEqual([incomplete]);
  expect(told(...cut, blockStop(0))).toEqual([incomplete]);
  expect(told(...cut, ...stops('max_tokens'))).toContainEqual(incomplete);
  expect(told(...cut, begins('msg_2'))).toContainEqual(incomplete);
  const terminal = terminalOf([begins(), ...cut, ...stops('max_tokens')]);
  expect(terminal).toMatchObject({ outcome: 'truncated', reason: 'max_tokens' });
  expect(terminal).not.toHaveProperty('openTools');
});

test('a call is abandoned when its message stops, or another block takes its place', () => {
  const adapter = createAnthropicMessagesAdapter();
  const start = blockStart(0, { type: 'tool_use', id: 'a', name: 'shell', input: {} });
  const eventsOf = (lines: readonly Fields[]) =>
    push(adapter, lines).map(({ kind, data }) => data.event ?? kind);
  eventsOf([begins(), start]);
  expect(eventsOf([start])).toEqual(['incomplete_tool_request']);
  expect(eventsOf(stops('max_tokens'))).toEqual(['message_delta', 'incomplete_tool_request']);
  expect(eventsOf([blockStop(0)])).toEqual([]);
});

test('inputs that exceed the limit in total, but not at once, are complete', () => {
  const piece = JSON.stringify('x'.repeat(1024 * 1024));
  const calls = Array.from({ length: 20 }, (_, index) => asksInPieces(`id${index}`, 'write', [piece], index));
  expect(told(...calls.flat()).map((event) => (event as [string])[0])).toEqual(
    Array(20).fill('tool_request'),
  );
});

test('an input in a great many pieces is complete', () => {
  const text = Array.from({ length: 5000 }, (_, index) => `<${index}>`).join('');
  expect(told(...asksInPieces('a', 'write', [...JSON.stringify({ text })]))).toMatchObject([
    ['tool_request', { input: { text } }],
  ]);
});

test('at most 16 Mi characters of an endless input are kept', () => {
  const adapter = createAnthropicMessagesAdapter();
  push(adapter, [begins(), blockStart(0, { type: 'tool_use', id: 'a', name: 'shell', input: {} })]);
  const piece = [blockDelta(0, { type: 'input_json_delta', partial_json: 'x'.repeat(1024 * 1024) })];
  const counts = Array.from({ length: 17 }, () => push(adapter, piece).length);
  expect(counts).toEqual([...Array(16).fill(0), 1]);
  const [after] = push(adapter, [blockDelta(0, { type: 'input_json_delta', partial_json: '1' })]);
  expect(after?.data.event).toBe('unknown_delta');
});

test('at most 256 open calls are kept', () => {
  const open = Array.from({ length: 300 }, (_, index) =>
    blockStart(index, { type: 'tool_use', id: `id${index}`, name: 'x', input: {} }),
  );
  const events = told(...open, ...open.map((_, index) => blockStop(index)));
  const kinds = events.map((event) => (event as [string])[0]);
  expect(kinds.filter((kind) => kind === 'tool_request')).toHaveLength(256);
  expect(kinds.filter((kind) => kind === 'notification')).toHaveLength(44);
});

test('a message that begins during another abandons the other’s open calls and keeps its text', () => {
  const events = runOf([
    begins(),
    says('half'),
    blockStart(1, { type: 'tool_use', id: 'a', name: 'shell', input: {} }),
    begins('msg_2'),
    ...asks('b', 'shell', {}, 1),
    ...stops('end_turn'),
  ]);
  expect(events.map(({ kind, data }) => data.event ?? kind)).toEqual([
    'runtime_started',
    'assistant_text',
    'request_abandoned',
    'request_started',
    'incomplete_tool_request',
    'tool_request',
    'message_delta',
    'runtime_terminal',
  ]);
  expect(events[2]?.data.payload).toEqual({ messageId: 'msg_1' });
});

test('content in the start of a message is read as complete blocks', () => {
  const content = [
    { type: 'text', text: 'hi' },
    { type: 'tool_use', id: 'a', name: 'shell', input: { x: 1 } },
    'odd',
  ];
  expect(middleOf(runOf([begins('msg_1', { content })]))).toEqual([
    ['assistant_text', { text: 'hi', ...origin }],
    ['tool_request', { toolId: 'a', name: 'shell', input: { x: 1 }, ...origin, blockIndex: 1 }],
    notification('unknown_block', { block: 'odd' }, { ...origin, blockIndex: 2 }),
  ]);
});

test('unknown lines, blocks and deltas are notifications with their complete content', () => {
  const line = { type: 'message_rewind', to: 3 };
  const badStart = { type: 'content_block_start', index: 0 };
  const delta = blockDelta(0, { type: 'sound_delta', sound: 'x' });
  const orphan = blockDelta(5, { type: 'input_json_delta', partial_json: '{}' });
  expect(
    told(line, badStart, ...block(0, { type: 'hologram', data: 1 }), delta, orphan, {
      type: 'message_start',
    }),
  ).toEqual([
    notification('unknown_line', line),
    notification('unknown_line', badStart),
    notification('unknown_block', { type: 'hologram', data: 1 }, origin),
    notification('unknown_delta', delta, origin),
    notification('unknown_delta', orphan, { ...origin, blockIndex: 5 }),
    notification('unknown_line', { type: 'message_start' }),
  ]);
});
