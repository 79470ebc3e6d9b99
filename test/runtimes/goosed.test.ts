import { expect, test } from 'vitest';
import { createGoosedAdapter } from '../../src/runtimes/goose/goosed.ts';
import { type Fields, framesOf, middleOf, playBytes, textOf } from './adapters.ts';
import { message } from './goose-lines.ts';
import { asks, FINISH, fails, framed, notifies, returns, says } from './goosed-frames.ts';

const runOf = (lines: readonly Fields[]) =>
  playBytes(createGoosedAdapter({ now: () => 1000 }), framesOf(lines.map(textOf)));
const told = (...lines: Fields[]): unknown[] => middleOf(runOf(lines));
const terminalOf = (...lines: Fields[]) => runOf(lines).at(-1)?.data;

const origin = { messageId: 'm1' };

test('messages are read like those of the command line', () => {
  expect(told(says('hi'), asks('a', 'shell', { command: 'ls' }), returns('a', 'ok'))).toEqual([
    ['assistant_text', { text: 'hi', ...origin }],
    ['tool_request', { toolId: 'a', name: 'shell', input: { command: 'ls' }, ...origin }],
    [
      'tool_response',
      { toolId: 'a', name: 'shell', output: [{ type: 'text', text: 'ok' }], isError: false, ...origin },
    ],
  ]);
});

test('a tool’s notifications are recorded with its call while the call is open', () => {
  const params = { level: 'info', data: { output: 'x' } };
  const payload = { requestId: 'a', method: 'notifications/message', params };
  const note = notifies('a', params);
  expect(
    told(asks('a', 'shell'), note, returns('a', 'ok'), note).filter((_, index) => index % 2 === 1),
  ).toEqual([
    ['notification', { event: 'mcp_notification', payload, toolId: 'a' }],
    ['notification', { event: 'mcp_notification', payload }],
  ]);
});

test('changes of the model and the history are recorded, without repeating the history', () => {
  const conversation = [{ role: 'assistant', content: [{ type: 'text', text: 'old' }] }];
  const unknown = { type: 'Rewind', to: 1 };
  const malformed = { type: 'Notification', request_id: 'a', message: 'text' };
  expect(
    told(
      { type: 'ModelChange', model: 'm', mode: 'lead' },
      { type: 'UpdateConversation', conversation },
      { type: 'ActiveRequests', request_ids: ['r'] },
      unknown,
      malformed,
    ),
  ).toEqual([
    ['notification', { event: 'model_change', payload: { model: 'm', mode: 'lead' } }],
    ['notification', { event: 'conversation_replaced', payload: { conversation } }],
    ['notification', { event: 'active_requests', payload: { requestIds: ['r'] } }],
    ['notification', { event: 'unknown_line', payload: unknown }],
    ['notification', { event: 'unknown_line', payload: malformed }],
  ]);
});

test('a finished run has the usage of the session and the number of pings', () => {
  expect(terminalOf({ type: 'Ping' }, says('hi'), { type: 'Ping' }, FINISH)).toEqual({
    outcome: 'completed',
    reason: 'complete',
    usage: { totalTokens: 30, inputTokens: 1, outputTokens: 2 },
    pings: 2,
  });
});

test('"stop" after an error is a failure, and so is an error without "stop"', () => {
  const failed = { outcome: 'failed', reason: 'error', errors: ['529'] };
  expect(terminalOf(says('hi'), fails('529'), FINISH)).toMatchObject(failed);
  expect(terminalOf(fails('529'))).toMatchObject(failed);
});

test('a run with a message after its finish is not finished', () => {
  expect(terminalOf(says('hi'), FINISH, says('more'))).toMatchObject({ reason: 'stream_ended_early' });
  expect(terminalOf(says('hi'), FINISH, says('more'), FINISH)).toMatchObject({ outcome: 'completed' });
});

test('a finish for an unknown reason is not a success', () => {
  expect(terminalOf({ type: 'Finish', reason: 'bored' })).toMatchObject({
    outcome: 'failed',
    reason: 'unknown_finish',
  });
});

test('failures that only the text reveals are detected, too', () => {
  expect(terminalOf(says('Ran into this error: 401 no key'), FINISH)).toMatchObject({
    outcome: 'failed',
    reason: 'provider_error',
  });
  const limit = "I've reached the maximum number of actions I can do without user input. Go on?";
  expect(terminalOf(says(limit), FINISH)).toMatchObject({ outcome: 'limit' });
  const exhausted = { type: 'systemNotification', notificationType: 'creditsExhausted', msg: 'no' };
  expect(terminalOf(framed(message('assistant', [exhausted])), FINISH)).toMatchObject({ outcome: 'failed' });
});

test('comments as heartbeats, ids and replays with CRLF are handled', () => {
  const text = `: ping 0\r\n\r\nid: 1\r\ndata: ${textOf(says('hi'))}\r\n\r\nid: 2\r\ndata: ${textOf(FINISH)}\r\n\r\n`;
  const events = playBytes(createGoosedAdapter(), new TextEncoder().encode(text), {}, 3);
  expect(events.map((event) => event.kind)).toEqual([
    'runtime_started',
    'assistant_text',
    'runtime_terminal',
  ]);
  expect(events.at(-1)?.data).toMatchObject({ outcome: 'completed' });
});
