import { expect, test } from 'vitest';
import { asks, COMPLETE, message, middleOf, returns, runOf, says } from './goose-lines.ts';

const origin = { messageId: 'm1' };

test('the start is created at the first valid line, with the facts from the host and the banner', () => {
  const banner = [
    '',
    '    __( O)>  ● new session · acme fast-model v2',
    '   \\____)    20310309_7 · /home/me',
    '     L L',
  ];
  expect(runOf([...banner, COMPLETE], {}, { sessionName: 'nightly' })[0]?.data).toEqual({
    runtime: 'goose',
    sessionName: 'nightly',
    provider: 'acme',
    model: 'fast-model v2',
    sessionId: '20310309_7',
    directory: '/home/me',
  });
  expect(runOf([COMPLETE])[0]?.data).toEqual({ runtime: 'goose' });
});

test('assistant text is one delta per item, with or without a message id', () => {
  expect(middleOf([says('one '), says('two', null), says('')])).toEqual([
    ['assistant_text', { text: 'one ', ...origin }],
    ['assistant_text', { text: 'two' }],
    ['assistant_text', { text: '', ...origin }],
  ]);
});

test('text other than the assistant’s to the user is a notification', () => {
  const aside = { type: 'text', text: 'aside', annotations: { audience: ['assistant'] } };
  const shown = {
    type: 'text',
    text: 'shown',
    annotations: { audience: ['user', 'assistant'], priority: 0 },
  };
  const hidden = { metadata: { userVisible: false } };
  expect(
    middleOf([
      message('user', [{ type: 'text', text: 'please' }]),
      message('assistant', [aside, shown]),
      message('assistant', [{ type: 'text', text: 'for the agent' }], hidden),
      message('system', [{ type: 'text', text: 'rules' }]),
    ]),
  ).toEqual([
    ['notification', { event: 'user_text', payload: { role: 'user', text: 'please' }, ...origin }],
    ['notification', { event: 'hidden_text', payload: { role: 'assistant', text: 'aside' }, ...origin }],
    ['assistant_text', { text: 'shown', ...origin }],
    [
      'notification',
      { event: 'hidden_text', payload: { role: 'assistant', text: 'for the agent' }, ...origin },
    ],
    ['notification', { event: 'other_text', payload: { role: 'other', text: 'rules' }, ...origin }],
  ]);
});

test('thinking keeps its signature, and redacted thinking is recorded without its content', () => {
  const items = [
    { type: 'thinking', thinking: 'hm', signature: '' },
    { type: 'thinking', thinking: '', signature: 'c2ln' },
    { type: 'redactedThinking', data: 'c2VjcmV0' },
  ];
  expect(middleOf([message('assistant', items)])).toEqual([
    ['notification', { event: 'thinking', payload: { thinking: 'hm' }, ...origin }],
    ['notification', { event: 'thinking', payload: { thinking: '', signature: 'c2ln' }, ...origin }],
    ['notification', { event: 'thinking', payload: { redacted: true }, ...origin }],
  ]);
});

test('a tool request has its tool, input, extension and metadata', () => {
  const _meta = { goose_extension: 'developer', 'goose.external_dispatch': true };
  expect(middleOf([asks('a', 'shell', { command: 'ls' }, { _meta, metadata: { k: 1 } })])).toEqual([
    [
      'tool_request',
      {
        toolId: 'a',
        name: 'shell',
        input: { command: 'ls' },
        extension: 'developer',
        metadata: { k: 1 },
        meta: { 'goose.external_dispatch': true },
        ...origin,
      },
    ],
  ]);
});

test('a tool request without arguments has an empty input', () => {
  const toolCall = { status: 'success', value: { name: 'todo__read' } };
  expect(middleOf([message('assistant', [{ type: 'toolRequest', id: 'a', toolCall }])])).toEqual([
    ['tool_request', { toolId: 'a', name: 'todo__read', input: {}, ...origin }],
  ]);
});

test('an invalid tool call is a notification and an error instead of a request', () => {
  const toolCall = { status: 'error', error: 'bad JSON' };
  expect(middleOf([message('assistant', [{ type: 'toolRequest', id: 'a', toolCall }])])).toEqual([
    ['notification', { event: 'invalid_tool_request', payload: { toolId: 'a', toolCall }, ...origin }],
    ['stream_error', { message: 'bad JSON', errorType: 'invalid_tool_request', toolId: 'a' }],
  ]);
});

test('results pair with their requests by id, in any order and several in one message', () => {
  const result = (id: string, value: unknown) => ({
    type: 'toolResponse',
    id,
    toolResult: { status: 'success', value },
  });
  const both = message('user', [
    result('b', { content: [], structuredContent: { code: 0 }, isError: false }),
    result('a', { content: [{ type: 'text', text: 'no' }], isError: true }),
  ]);
  expect(middleOf([asks('a', 'first'), asks('b', 'second'), both]).slice(2)).toEqual([
    [
      'tool_response',
      { toolId: 'b', name: 'second', output: [], structured: { code: 0 }, isError: false, ...origin },
    ],
    [
      'tool_response',
      { toolId: 'a', name: 'first', output: [{ type: 'text', text: 'no' }], isError: true, ...origin },
    ],
  ]);
});

test('a result may lack its request, be an error, or have the old shape', () => {
  const content = [{ type: 'text', text: 'old' }];
  expect(
    middleOf([
      message('user', [
        { type: 'toolResponse', id: 'x', toolResult: { status: 'error', error: 'boom' } },
        { type: 'toolResponse', id: 'y', toolResult: { status: 'success', value: content } },
      ]),
    ]),
  ).toEqual([
    ['tool_response', { toolId: 'x', output: 'boom', isError: true, ...origin }],
    ['tool_response', { toolId: 'y', output: content, isError: false, ...origin }],
  ]);
});

const loaded = '# Loaded Skill: release-notes (skill)\n\nWrite a list.';
const meta = (extension: string) => ({ _meta: { goose_extension: extension } });

test.each([
  ['load_skill of the skills extension', asks('a', 'load_skill', {}, meta('skills')), 'skills'],
  ['skills__load_skill', asks('a', 'skills__load_skill'), 'skills'],
  ['load of the summon extension', asks('a', 'load', {}, meta('summon')), 'summon'],
  ['summon__load', asks('a', 'summon__load'), 'summon'],
])('a skill loaded with %s is recorded after the result', (_, request, source) => {
  expect(middleOf([request, returns('a', loaded)]).slice(2)).toEqual([
    ['skill_loaded', { skill: 'release-notes', source, toolId: 'a' }],
  ]);
});

test.each([
  ['the loader fails', asks('a', 'load_skill'), returns('a', loaded, true)],
  ['the loader answers something else', asks('a', 'load_skill'), returns('a', 'Skill not found')],
  ['the loader names no skill', asks('a', 'load_skill'), returns('a', '# Loaded Skill: \nx')],
  ['another tool prints the same words', asks('a', 'shell', {}, meta('developer')), returns('a', loaded)],
  [
    'a tool of another extension has the same name',
    asks('a', 'load', {}, meta('cargo')),
    returns('a', loaded),
  ],
  ['a tool of no extension has a common name', asks('a', 'load'), returns('a', loaded)],
  ['the request is not known', asks('b', 'load_skill'), returns('a', loaded)],
])('no skill is loaded when %s', (_, request, response) => {
  const kinds = runOf([request, response]).map((event) => event.kind);
  expect(kinds).toEqual(['runtime_started', 'tool_request', 'tool_response', 'runtime_terminal']);
});

test('logs and progress name the tool that is running', () => {
  const log = { type: 'notification', extension_id: 'a', log: { message: 'half way' } };
  const progress = {
    type: 'notification',
    extension_id: 'z',
    progress: { progress: 3, total: null, message: null },
  };
  expect(middleOf([asks('a', 'shell'), log, progress]).slice(1)).toEqual([
    ['notification', { event: 'log', payload: { extensionId: 'a', message: 'half way' }, toolId: 'a' }],
    [
      'notification',
      { event: 'progress', payload: { extensionId: 'z', progress: 3, total: null, message: null } },
    ],
  ]);
});

test.each([
  ['toolConfirmationRequest', 'tool_confirmation_request'],
  ['frontendToolRequest', 'frontend_tool_request'],
  ['actionRequired', 'action_required'],
  ['somethingNew', 'unknown_content'],
])('a %s item is a notification with its complete content', (type, event) => {
  const item = { type, data: { actionType: 'elicitation' } };
  expect(middleOf([message('assistant', [item])])).toEqual([
    ['notification', { event, payload: item, ...origin }],
  ]);
});

test('system notifications are notifications, except for exhausted credits', () => {
  const inline = { type: 'systemNotification', notificationType: 'inlineMessage', msg: 'compacting' };
  const broke = {
    type: 'systemNotification',
    notificationType: 'creditsExhausted',
    msg: 'top up',
    data: { url: 'u' },
  };
  expect(middleOf([message('assistant', [inline, broke])])).toEqual([
    [
      'notification',
      {
        event: 'system_notification',
        payload: { notificationType: 'inlineMessage', msg: 'compacting' },
        ...origin,
      },
    ],
    ['stream_error', { message: 'top up', errorType: 'credits_exhausted', details: { url: 'u' }, ...origin }],
  ]);
});

test('images and documents are described without their bytes', () => {
  const items = [
    { type: 'image', data: 'AAAA', mimeType: 'image/png' },
    { type: 'document', data: 'AAAAAAAA', mimeType: 'application/pdf', name: 'plan.pdf' },
  ];
  expect(middleOf([message('user', items)])).toEqual([
    [
      'notification',
      { event: 'image', payload: { role: 'user', mimeType: 'image/png', base64Length: 4 }, ...origin },
    ],
    [
      'notification',
      {
        event: 'document',
        payload: { role: 'user', mimeType: 'application/pdf', name: 'plan.pdf', base64Length: 8 },
        ...origin,
      },
    ],
  ]);
});

test('an error item and an error line are stream errors', () => {
  const item = { type: 'error', kind: 'authentication', message: 'no key' };
  expect(middleOf([message('assistant', [item]), { type: 'error', error: 'gave up' }])).toEqual([
    ['stream_error', { message: 'no key', errorType: 'authentication', ...origin }],
    ['stream_error', { message: 'gave up' }],
  ]);
});

test('a change of the answering model is recorded', () => {
  const by = (requestedModel: string) =>
    message('assistant', [{ type: 'text', text: 'x' }], {
      metadata: { inference: { provider: 'p', requestedModel } },
    });
  const inferences = middleOf([by('m'), by('m'), by('n')]).filter((event) =>
    JSON.stringify(event).includes('inference'),
  );
  expect(inferences).toEqual([
    ['notification', { event: 'inference', payload: { provider: 'p', requestedModel: 'm' } }],
    ['notification', { event: 'inference', payload: { provider: 'p', requestedModel: 'n' } }],
  ]);
});

test('old, unknown and malformed lines are kept as notifications', () => {
  const unknown = { type: 'future_event', x: 1 };
  const malformed = { type: 'message', message: 7 };
  expect(
    middleOf([
      { type: 'model_change', model: 'm', mode: 'lead' },
      unknown,
      malformed,
      message('assistant', [7, { type: 'text', text: 8 }]),
      message('assistant', []),
    ]),
  ).toEqual([
    ['notification', { event: 'model_change', payload: { model: 'm', mode: 'lead' } }],
    ['notification', { event: 'unknown_line', payload: unknown }],
    ['notification', { event: 'unknown_line', payload: malformed }],
    ['notification', { event: 'unknown_content', payload: { item: 7 }, ...origin }],
    ['notification', { event: 'unknown_content', payload: { type: 'text', text: 8 }, ...origin }],
    ['notification', { event: 'empty_message', payload: { role: 'assistant' }, ...origin }],
  ]);
});
