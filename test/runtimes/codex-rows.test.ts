import { expect, test } from 'vitest';
import {
  codex,
  completed,
  DONE,
  failed,
  item,
  reconnecting,
  says,
  started,
  THREAD,
  TURN,
} from './codex-lines.ts';
import type { Lines } from './player.ts';

const textOf = (lines: Lines) =>
  codex
    .runOf(lines)
    .filter(({ kind }) => kind === 'assistant_text')
    .map(({ data }) => data.text);

test('the thread is the session, and turns are notifications', () => {
  const events = codex.runOf([THREAD, TURN, DONE], { exitCode: 0 }, { sessionName: 'nightly' });
  expect(events.map(({ kind, data }) => [kind, data])).toEqual([
    ['runtime_started', { runtime: 'codex', sessionName: 'nightly', sessionId: 't1' }],
    ['notification', { event: 'turn_started', payload: {} }],
    ['notification', { event: 'turn_completed', payload: { usage: { input_tokens: 1, output_tokens: 2 } } }],
    [
      'runtime_terminal',
      {
        outcome: 'completed',
        reason: 'turn_completed',
        exitCode: 0,
        usage: { inputTokens: 1, outputTokens: 2 },
      },
    ],
  ]);
});

test('a thread that starts late or again is a notification', () => {
  expect(codex.middleOf([TURN, THREAD, THREAD]).slice(1)).toEqual([
    ['notification', { event: 'thread_started', payload: { thread_id: 't1' } }],
    ['notification', { event: 'thread_started', payload: { thread_id: 't1' } }],
  ]);
});

test('messages are complete and have their phase, reasoning is a notification', () => {
  const lines = [
    started('item_0', 'agent_message', { text: 'Lo' }),
    completed('item_0', 'agent_message', { text: 'Looking', phase: 'commentary' }),
    completed('item_1', 'reasoning', { text: 'hm' }),
  ];
  expect(codex.middleOf(lines).slice(1)).toEqual([
    ['assistant_text', { text: 'Looking', messageId: 'item_0', phase: 'commentary' }],
    ['notification', { event: 'thinking', payload: { thinking: 'hm' }, messageId: 'item_1' }],
  ]);
});

test('a command is a request when it starts and a response when it ends', () => {
  const command = { command: "/bin/bash -lc 'ls'", aggregated_output: '', exit_code: null };
  const lines = [
    started('item_0', 'command_execution', { ...command, status: 'in_progress' }),
    item('updated', 'item_0', 'command_execution', { ...command, aggregated_output: 'a' }),
    completed('item_0', 'command_execution', {
      ...command,
      aggregated_output: 'ab',
      exit_code: 1,
      status: 'failed',
    }),
  ];
  const told = codex.middleOf(lines);
  expect(told[0]).toEqual([
    'tool_request',
    { toolId: 'item_0', name: 'shell', input: { command: "/bin/bash -lc 'ls'" } },
  ]);
  expect(told[1]).toMatchObject([
    'notification',
    { event: 'item_updated', payload: { aggregated_output: 'a' }, toolId: 'item_0' },
  ]);
  expect(told[2]).toEqual([
    'tool_response',
    { toolId: 'item_0', name: 'shell', output: 'ab', exitCode: 1, isError: true },
  ]);
});

test('items pair by id, even if they end in a different order', () => {
  const lines = [
    started('item_0', 'command_execution', { command: 'a' }),
    started('item_1', 'mcp_tool_call', { server: 's', tool: 't', arguments: { q: 1 } }),
    completed('item_1', 'mcp_tool_call', { server: 's', tool: 't', status: 'completed' }),
    completed('item_0', 'command_execution', { command: 'a', status: 'declined' }),
  ];
  const told = codex.runOf(lines).slice(1, -1);
  expect(told.map(({ kind, data }) => [kind, data.toolId, data.name, data.isError])).toEqual([
    ['tool_request', 'item_0', 'shell', undefined],
    ['tool_request', 'item_1', 's.t', undefined],
    ['tool_response', 'item_1', 's.t', false],
    ['tool_response', 'item_0', 'shell', true],
  ]);
});

test('the result of an MCP tool is its content, or its error', () => {
  const call = { server: 'docs', tool: 'find', arguments: { q: 1 } };
  const good = {
    result: { content: [{ type: 'text', text: 'x' }], structured_content: { n: 1 } },
    error: null,
  };
  const bad = { result: null, error: { message: 'timeout' } };
  expect(
    codex.middleOf([
      completed('item_0', 'mcp_tool_call', { ...call, ...good, status: 'completed' }),
      completed('item_1', 'mcp_tool_call', { ...call, ...bad, status: 'failed' }),
    ]),
  ).toEqual([
    ['tool_request', { toolId: 'item_0', name: 'docs.find', input: { q: 1 }, mcpServer: 'docs' }],
    [
      'tool_response',
      {
        ...{ toolId: 'item_0', name: 'docs.find', isError: false },
        output: [{ type: 'text', text: 'x' }],
        structured: { n: 1 },
      },
    ],
    ['tool_request', { toolId: 'item_1', name: 'docs.find', input: { q: 1 }, mcpServer: 'docs' }],
    ['tool_response', { toolId: 'item_1', name: 'docs.find', output: 'timeout', isError: true }],
  ]);
});

test('file changes, searches and other agents are tools, with or without their start', () => {
  const changes = [{ path: '/w/a', kind: 'add' }];
  const agent = { tool: 'spawn_agent', prompt: 'go', sender_thread_id: 't1', receiver_thread_ids: ['t2'] };
  const lines = [
    completed('item_0', 'file_change', { changes, status: 'completed' }),
    completed('item_1', 'web_search', { query: 'q', action: { type: 'search' } }),
    started('item_2', 'collab_tool_call', { ...agent, status: 'in_progress' }),
    completed('item_2', 'collab_tool_call', { ...agent, agents_states: {}, status: 'completed' }),
  ];
  expect(codex.middleOf(lines)).toEqual([
    ['tool_request', { toolId: 'item_0', name: 'apply_patch', input: { changes } }],
    [
      'tool_response',
      { toolId: 'item_0', name: 'apply_patch', output: 'completed', files: changes, isError: false },
    ],
    [
      'tool_request',
      { toolId: 'item_1', name: 'web_search', input: { query: 'q', action: { type: 'search' } } },
    ],
    ['tool_response', { toolId: 'item_1', name: 'web_search', output: { type: 'search' }, isError: false }],
    [
      'tool_request',
      {
        ...{ toolId: 'item_2', name: 'spawn_agent', senderThreadId: 't1' },
        input: { prompt: 'go', receiverThreadIds: ['t2'] },
      },
    ],
    ['tool_response', { toolId: 'item_2', name: 'spawn_agent', output: {}, isError: false }],
  ]);
});

const reads = (command: string, status = 'completed') =>
  codex
    .runOf([completed('item_0', 'command_execution', { command, status })])
    .filter(({ kind }) => kind === 'skill_loaded')
    .map(({ data }) => data);

test('reading a skill counts as loading it, and is marked as inferred', () => {
  expect(reads("/bin/bash -lc 'cat /w/.codex/skills/notes/SKILL.md'")).toEqual([
    { skill: 'notes', toolId: 'item_0', inferred: true },
  ]);
  expect(
    reads('sed -n 1,9p ~/.codex/skills/.system/a/SKILL.md ~/x/skills/b/SKILL.md').map((s) => s.skill),
  ).toEqual(['a', 'b']);
});

test.each([
  ['the command failed', 'cat /skills/notes/SKILL.md', 'failed'],
  ['another file of it was read', 'cat /skills/notes/README.md', 'completed'],
  ['skills were only listed', 'ls /skills/*/SKILL.md', 'completed'],
  ['the file belongs to no skill', 'cat /w/SKILL.md', 'completed'],
])('no skill is loaded when %s', (_, command, status) => {
  expect(reads(command, status)).toEqual([]);
});

test('a message that is repeated after a lost connection is recorded once', () => {
  const lines = [says('A'), reconnecting(1), says('A', 'item_1'), reconnecting(2), says('A', 'item_2')];
  expect(textOf([...lines, says('B', 'item_3')])).toEqual(['A', 'B']);
  expect(codex.middleOf(lines)[2]).toEqual([
    'notification',
    { event: 'repeated_text', payload: { text: 'A' }, messageId: 'item_1' },
  ]);
});

test('several messages may be repeated, also over overlapping reconnections', () => {
  const said = [says('A'), says('B'), says('A')];
  const again = [reconnecting(1), says('A'), reconnecting(2), reconnecting(3), ...said, says('C')];
  expect(textOf([...said, ...again])).toEqual(['A', 'B', 'A', 'C']);
});

test.each([
  ['nothing broke', [says('A'), says('A')]],
  ['another error came', [says('A'), { type: 'error', message: 'odd' }, says('A')]],
  ['a tool ran before the reconnection', [says('A'), started('i', 'web_search'), reconnecting(1), says('A')]],
  ['a tool ran after the reconnection', [says('A'), reconnecting(1), started('i', 'web_search'), says('A')]],
  ['a new turn began', [says('A'), reconnecting(1), TURN, says('A')]],
])('the same text is recorded again when %s', (_, lines) => {
  expect(textOf(lines)).toEqual(['A', 'A']);
});

test('every message after the repeats is recorded, even the same one', () => {
  expect(textOf([says('A'), reconnecting(1), says('A'), says('A')])).toEqual(['A', 'A']);
  const twice = [says('A'), reconnecting(1), says('A'), reconnecting(2), says('A')];
  expect(textOf([...twice, says('A')])).toEqual(['A', 'A']);
});

test('errors are stream errors, and reconnections have their attempt', () => {
  const lines = [
    reconnecting(2),
    { type: 'error', message: 'odd' },
    { type: 'error' },
    completed('item_0', 'error', { message: 'cut short' }),
  ];
  expect(codex.middleOf(lines)).toEqual([
    ['stream_error', { message: 'Reconnecting... 2/5 (busy)', retrying: true, attempt: 2, maxAttempts: 5 }],
    ['stream_error', { message: 'odd' }],
    ['stream_error', { message: 'Codex reported an error without a message' }],
    ['stream_error', { message: 'cut short', errorType: 'warning' }],
  ]);
});

test('plans are notifications with their phase, and a question waits', () => {
  const items = [{ text: 'a', completed: false }];
  const lines = [
    started('item_0', 'todo_list', { items }),
    { type: 'item.plan.delta', item_id: 'item_1', delta: 'x' },
    { type: 'request_user_input', id: 'q', questions: [] },
  ];
  expect(codex.middleOf(lines)).toEqual([
    ['notification', { event: 'todo_list', payload: { phase: 'started', id: 'item_0', items } }],
    ['notification', { event: 'plan_delta', payload: { item_id: 'item_1', delta: 'x' } }],
    ['notification', { event: 'waiting', payload: { id: 'q', questions: [] } }],
  ]);
});

test('unknown and malformed lines and items are kept as notifications', () => {
  const lines = [{ type: 'future' }, { type: 'turn.future' }, { type: 'item.completed', item: 7 }];
  expect(codex.middleOf(lines)).toEqual(
    lines.map((line) => ['notification', { event: 'unknown_line', payload: line }]),
  );
  const items = [
    { id: 'i', type: 'future' },
    { type: 'command_execution' },
    { id: 'i', type: 'agent_message' },
  ];
  expect(codex.middleOf(items.map((value) => ({ type: 'item.completed', item: value })))).toEqual(
    items.map((value) => [
      'notification',
      { event: 'unknown_item', payload: { phase: 'completed', ...value } },
    ]),
  );
});

test.each([
  ['failed', 'turn_failed', 'no key'],
  ['truncated', 'max_output_tokens', 'Incomplete response returned, reason: max_output_tokens'],
  ['limit', 'context_window', "Codex ran out of room in the model's context window. Start a new thread."],
])('a failed turn is %s: %s', (outcome, reason, message) => {
  const lines = [THREAD, TURN, { type: 'error', message }, failed(message)];
  expect(codex.terminalOf(lines, { exitCode: 1 })).toMatchObject({ outcome, reason, errors: [message] });
});

test('the last turn counts, and an error after it changes nothing', () => {
  const late = { type: 'error', message: 'exited' };
  expect(codex.endOf([TURN, DONE, TURN, failed('no'), late])).toEqual(['failed', 'turn_failed']);
  expect(codex.endOf([TURN, failed('no'), TURN, DONE, late])).toEqual(['completed', 'turn_completed']);
  expect(codex.endOf([TURN, DONE, TURN])).toEqual(['failed', 'stream_ended_early']);
});

test('an interrupt leaves no last line: the signal distinguishes it from a failure', () => {
  const lines = [THREAD, TURN, started('item_0', 'command_execution', { command: 'sleep 9' })];
  expect(codex.endOf(lines, { exitCode: 1 })).toEqual(['failed', 'exit_code']);
  expect(codex.terminalOf(lines, { exitCode: 1, signal: 'SIGINT' })).toMatchObject({
    outcome: 'cancelled',
    reason: 'signal',
    openTools: [{ toolId: 'item_0', name: 'shell' }],
  });
});

test('a failed process overrides a success', () => {
  expect(codex.endOf([TURN, DONE], { exitCode: 1 })).toEqual(['failed', 'exit_code']);
});
