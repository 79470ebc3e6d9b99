import { expect, test } from 'vitest';
import { claude, heard, INIT, said, text, toolResult, toolUse } from './claude-lines.ts';

const origin = { messageId: 'm1' };

test('the first init starts the run, and every init is recorded completely', () => {
  const init = {
    ...INIT,
    claude_code_version: '2.1.0',
    permissionMode: 'default',
    tools: ['Bash'],
    skills: ['notes'],
  };
  const events = claude.runOf([init, INIT], {}, { sessionName: 'nightly' });
  expect(events[0]?.data).toEqual({
    runtime: 'claude-code',
    sessionName: 'nightly',
    sessionId: 's1',
    model: 'sonnet',
    directory: '/w',
    version: '2.1.0',
    permissionMode: 'default',
  });
  expect(events.slice(1, -1).map(({ data }) => data)).toEqual([
    {
      event: 'init',
      payload: {
        session_id: 's1',
        model: 'sonnet',
        cwd: '/w',
        claude_code_version: '2.1.0',
        permissionMode: 'default',
        tools: ['Bash'],
        skills: ['notes'],
      },
    },
    { event: 'init', payload: { session_id: 's1', model: 'sonnet', cwd: '/w' } },
  ]);
});

const hook = (id: string) => ({ type: 'system', subtype: 'hook_started', hook_id: id, session_id: 's1' });

test('hook lines before the session’s start wait for it', () => {
  const told = claude.runOf([hook('a'), hook('b'), INIT, hook('c')]).map(({ kind, data }) => {
    const payload = data.payload as { hook_id?: string } | undefined;
    return [kind, data.model ?? payload?.hook_id];
  });
  expect(told).toEqual([
    ['runtime_started', 'sonnet'],
    ['notification', 'a'],
    ['notification', 'b'],
    ['notification', undefined],
    ['notification', 'c'],
    ['runtime_terminal', undefined],
  ]);
});

test('hook lines without a session are still recorded', () => {
  expect(claude.runOf([hook('a')]).map(({ kind }) => kind)).toEqual([
    'runtime_started',
    'notification',
    'runtime_terminal',
  ]);
});

test('long hook output does not wait indefinitely', () => {
  const loud = { ...hook('a'), output: 'x'.repeat(300_000) };
  const events = claude.runOf([loud, loud, loud, loud, INIT]);
  // The fourth line starts the run, so the start lacks the facts that only the init has.
  expect(events[0]?.data).toEqual({ runtime: 'claude-code', sessionId: 's1' });
  expect(events.slice(1, -1).map(({ data }) => data.event)).toEqual([
    ...['hook_started', 'hook_started', 'hook_started', 'hook_started', 'init'],
  ]);
});

test('every block of an assistant line is recorded', () => {
  const blocks = [
    text('look'),
    { type: 'thinking', thinking: 'hm', signature: 'c2ln' },
    { type: 'redacted_thinking', data: 'c2VjcmV0' },
    toolUse('a', 'Bash', { command: 'ls' }),
    { type: 'tool_use', id: 'b', name: 'Read' },
  ];
  expect(claude.middleOf([said(blocks)])).toEqual([
    ['assistant_text', { text: 'look', ...origin }],
    ['notification', { event: 'thinking', payload: { thinking: 'hm', signature: 'c2ln' }, ...origin }],
    ['notification', { event: 'thinking', payload: { redacted: true }, ...origin }],
    ['tool_request', { toolId: 'a', name: 'Bash', input: { command: 'ls' }, ...origin }],
    ['tool_request', { toolId: 'b', name: 'Read', input: {}, ...origin }],
  ]);
});

test('string content is text', () => {
  expect(claude.middleOf([said('hi'), heard('yes', { isReplay: true })])).toEqual([
    ['assistant_text', { text: 'hi', ...origin }],
    ['notification', { event: 'user_text', payload: { role: 'user', text: 'yes' }, replay: true }],
  ]);
});

test('text that the CLI itself wrote, or that was cut off, is marked', () => {
  expect(
    claude.middleOf([
      said([text('No credit')], {}, { model: '<synthetic>' }),
      said([text('mid')], { aborted: true }),
    ]),
  ).toEqual([
    ['assistant_text', { text: 'No credit', ...origin, synthetic: true }],
    ['assistant_text', { text: 'mid', ...origin, aborted: true }],
  ]);
});

test('results pair by id, in any order, and carry the structured form if its owner is clear', () => {
  const lines = [
    said([toolUse('a', 'Bash'), toolUse('b', 'Write')]),
    heard([toolResult('b', 'ok')], { tool_use_result: { type: 'create' } }),
    heard([toolResult('a', [text('no')], { is_error: true }), toolResult('x', '')], {
      tool_use_result: 'no',
    }),
  ];
  expect(claude.middleOf(lines).slice(2)).toEqual([
    [
      'tool_response',
      { toolId: 'b', name: 'Write', output: 'ok', structured: { type: 'create' }, isError: false },
    ],
    ['tool_response', { toolId: 'a', name: 'Bash', output: [text('no')], isError: true }],
    ['tool_response', { toolId: 'x', output: '', isError: false }],
  ]);
});

test('a subagent’s events carry the call that started it', () => {
  const by = { parent_tool_use_id: 'agent' };
  const lines = [
    said([toolUse('agent', 'Agent')]),
    said([text('sub'), toolUse('a', 'Bash')], by),
    heard([toolResult('a', 'ok')], by),
    heard([toolResult('agent', 'done')]),
  ];
  expect(claude.middleOf(lines).slice(1)).toEqual([
    ['assistant_text', { text: 'sub', ...origin, parentToolId: 'agent' }],
    ['tool_request', { toolId: 'a', name: 'Bash', input: {}, ...origin, parentToolId: 'agent' }],
    ['tool_response', { toolId: 'a', name: 'Bash', output: 'ok', isError: false, parentToolId: 'agent' }],
    ['tool_response', { toolId: 'agent', name: 'Agent', output: 'done', isError: false }],
  ]);
});

test('tools that run on servers are marked, and the files that they wrote are listed', () => {
  const blocks = [
    { type: 'server_tool_use', id: 'a', name: 'code_execution', input: { code: '1' } },
    { type: 'mcp_tool_use', id: 'b', name: 'find', server_name: 'docs', input: {} },
    {
      type: 'code_execution_tool_result',
      tool_use_id: 'a',
      content: { type: 'r', return_code: 1, content: [{ type: 'code_execution_output', file_id: 'f1' }] },
    },
    { type: 'web_search_tool_result', tool_use_id: 'c', content: { type: 'web_search_tool_result_error' } },
    { type: 'mcp_tool_result', tool_use_id: 'b', is_error: false, content: 'ok' },
  ];
  const told = claude.runOf([said(blocks)]).slice(1, -1);
  expect(
    told.map(({ kind, data: { output: _, input: __, messageId: ___, ...data } }) => [kind, data]),
  ).toEqual([
    ['tool_request', { toolId: 'a', name: 'code_execution', server: true }],
    ['tool_request', { toolId: 'b', name: 'find', server: true, mcpServer: 'docs' }],
    ['tool_response', { toolId: 'a', name: 'code_execution', files: [{ fileId: 'f1' }], isError: true }],
    ['tool_response', { toolId: 'c', isError: true }],
    ['tool_response', { toolId: 'b', name: 'find', isError: false }],
  ]);
});

test('a skill is loaded once its tool has succeeded', () => {
  const lines = [said([toolUse('a', 'Skill', { skill: 'notes' })]), heard([toolResult('a', 'Launching')])];
  expect(claude.middleOf(lines).at(-1)).toEqual(['skill_loaded', { skill: 'notes', toolId: 'a' }]);
});

test.each([
  ['fails', [toolUse('a', 'Skill', { skill: 'notes' })], [toolResult('a', 'no', { is_error: true })]],
  ['names none', [toolUse('a', 'Skill', { args: 'x' })], [toolResult('a', 'ok')]],
  ['is another tool', [toolUse('a', 'Bash', { skill: 'notes' })], [toolResult('a', 'ok')]],
  ['was not seen', [toolUse('b', 'Skill', { skill: 'notes' })], [toolResult('a', 'ok')]],
])('no skill is loaded when the call %s', (_, call, answer) => {
  const kinds = claude.runOf([said(call), heard(answer)]).map(({ kind }) => kind);
  expect(kinds).toEqual(['runtime_started', 'tool_request', 'tool_response', 'runtime_terminal']);
});

test('a question to the user and a request to the host wait; neither ends the run', () => {
  const request = { type: 'control_request', request_id: 'r', request: { subtype: 'can_use_tool' } };
  expect(claude.middleOf([said([toolUse('a', 'AskUserQuestion')]), request]).slice(1)).toEqual([
    ['notification', { event: 'waiting', payload: { toolId: 'a', name: 'AskUserQuestion' }, ...origin }],
    [
      'notification',
      { event: 'waiting', payload: { request_id: 'r', request: { subtype: 'can_use_tool' } } },
    ],
  ]);
});

test('retries, errors, rate limits and failed logins are stream errors', () => {
  const lines = [
    {
      type: 'system',
      subtype: 'api_retry',
      attempt: 2,
      max_retries: 10,
      retry_delay_ms: 5,
      error: 'overloaded',
    },
    { type: 'system', subtype: 'api_retry', error_status: 529 },
    said([text('No credit')], { error: 'billing_error' }),
    said([], { error: 'server_error' }),
    { type: 'rate_limit_event', rate_limit_info: { status: 'rejected' } },
    { type: 'rate_limit_event', rate_limit_info: { status: 'allowed' } },
    { type: 'auth_status', error: 'expired' },
    { type: 'auth_status', isAuthenticating: true },
  ];
  const told = claude.runOf(lines).slice(1, -1);
  expect(told.filter(({ kind }) => kind === 'stream_error').map(({ data }) => data)).toEqual([
    {
      message: 'Request failed (overloaded), retry 2 of 10',
      ...{ errorType: 'overloaded', attempt: 2, maxAttempts: 10, delayMs: 5, retrying: true },
    },
    { message: 'Request failed (unknown), retry ? of ?', status: 529, retrying: true },
    { message: 'No credit', errorType: 'billing_error', ...origin },
    { message: 'server_error', errorType: 'server_error', ...origin },
    {
      message: 'The rate limit is reached',
      errorType: 'rate_limit',
      details: { rate_limit_info: { status: 'rejected' } },
    },
    { message: 'expired', errorType: 'authentication_failed' },
  ]);
  expect(told.filter(({ kind }) => kind === 'notification').map(({ data }) => data.event)).toEqual([
    'empty_message',
    'rate_limit_event',
    'auth_status',
  ]);
});

test('retractions name the messages of the retracted lines', () => {
  const lines = [
    said([text('one')], { uuid: 'u1' }),
    said([text('two')], { uuid: 'u2', supersedes: ['u1', 'u0', 7] }, { id: 'm2' }),
    { type: 'system', subtype: 'model_refusal_fallback', retracted_message_uuids: ['u2'] },
  ];
  const retracted = claude.runOf(lines).filter(({ data }) => data.event === 'retracted');
  expect(retracted.map(({ data }) => data.payload)).toEqual([
    { uuids: ['u1', 'u0'], messageIds: ['m1'] },
    { uuids: ['u2'], messageIds: ['m2'] },
  ]);
});

test('files are uploads only if they have an id; other media are described without their bytes', () => {
  const blocks = [
    { type: 'document', title: 'plan.pdf', source: { type: 'file', file_id: 'f1' } },
    { type: 'container_upload', file_id: 'f2' },
    { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } },
  ];
  expect(claude.middleOf([heard(blocks)])).toEqual([
    ['file_uploaded', { fileId: 'f1', name: 'plan.pdf' }],
    ['file_uploaded', { fileId: 'f2' }],
    [
      'notification',
      {
        event: 'image',
        payload: {
          ...{ role: 'user', type: 'image', base64Length: 4 },
          source: { type: 'base64', media_type: 'image/png' },
        },
      },
    ],
  ]);
});

test('files that the agent wrote are not uploads', () => {
  const line = { type: 'system', subtype: 'files_persisted', files: [{ filename: 'a', file_id: 'f' }] };
  expect(claude.middleOf([line])).toEqual([
    ['notification', { event: 'files_persisted', payload: { files: [{ filename: 'a', file_id: 'f' }] } }],
  ]);
});

test('progress names its tool, and keep-alives are only counted', () => {
  const keepAlive = { type: 'keep_alive' };
  const lines = [keepAlive, { type: 'tool_progress', tool_use_id: 'a', elapsed: 3 }, keepAlive];
  expect(claude.middleOf(lines)).toEqual([
    ['notification', { event: 'tool_progress', payload: { tool_use_id: 'a', elapsed: 3 }, toolId: 'a' }],
  ]);
  expect(claude.terminalOf(lines)?.keepAlives).toBe(2);
});

test('unknown and malformed lines and blocks are kept as notifications', () => {
  const lines = [
    { type: 'future', x: 1 },
    { type: 'system', subtype: 'future' },
    { type: 'system' },
    { type: 'assistant', message: 7 },
    { type: 'user' },
    { type: 'stream_event', event: { type: 'future' } },
  ];
  expect(claude.middleOf(lines)).toEqual(
    lines.map((line) => ['notification', { event: 'unknown_line', payload: line }]),
  );
  const blocks = [7, { type: 'future' }, { type: 'text', text: 7 }, { type: 'x_tool_result' }];
  const payloads = [{ block: 7 }, ...blocks.slice(1)];
  expect(claude.middleOf([said(blocks)])).toEqual(
    payloads.map((payload) => ['notification', { event: 'unknown_block', payload, ...origin }]),
  );
  expect(claude.middleOf([said([{ type: 'tool_use', id: 'a' }])])).toEqual([
    ['notification', { event: 'invalid_tool_request', payload: { type: 'tool_use', id: 'a' }, ...origin }],
  ]);
});
