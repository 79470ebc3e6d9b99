import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RunnerEvent } from '../../src/contract/events.ts';
import { validateRunnerEventBatch } from '../../src/contract/validate.ts';
import {
  type AnthropicSessionsOptions,
  createAnthropicSessionsAdapter,
} from '../../src/runtimes/anthropic/sessions.ts';
import { type Fields, framesOf, middleOf, playBytes, textOf } from './adapters.ts';
import { announces, asks, event, fails, idle, message, piece, returns, running } from './sessions-frames.ts';

const processedAt = '2030-01-01T00:00:00Z';
const processed_at = processedAt;

function runOf(lines: readonly Fields[], options: AnthropicSessionsOptions = {}): RunnerEvent[] {
  const adapter = createAnthropicSessionsAdapter({ now: () => 1000, ...options });
  return playBytes(adapter, framesOf(lines.map(textOf)));
}

const told = (...lines: Fields[]): unknown[] => middleOf(runOf([running(), ...lines]));
const terminalOf = (...lines: Fields[]) => runOf(lines).at(-1)?.data;
const notification = (name: string, payload: Fields, more: Fields = {}) => [
  'notification',
  { event: name, payload, ...more },
];
const textIn = (events: readonly unknown[]) =>
  (events as [string, Fields][])
    .filter(([kind]) => kind === 'assistant_text')
    .map(([, data]) => data.text)
    .join('');

test('the session’s first status_running starts the run, and later ones are notifications', () => {
  const again = event('session.status_running', { id: 'e2' });
  expect(middleOf(runOf([running(), again]))).toEqual([
    notification('session.status_running', { id: 'e2', processed_at }),
  ]);
  const late = runOf([event('user.message', { content: [] }), running()]);
  expect(late.map(({ kind, data }) => data.event ?? kind)).toEqual([
    'runtime_started',
    'user.message',
    'session.status_running',
    'runtime_terminal',
  ]);
});

test('a message without pieces is recorded complete, block by block', () => {
  expect(told(message('e1', 'one', 'two'))).toEqual([
    ['assistant_text', { text: 'one', messageId: 'e1', processedAt, blockIndex: 0 }],
    ['assistant_text', { text: 'two', messageId: 'e1', processedAt, blockIndex: 1 }],
  ]);
});

test('only the rest is recorded of a message whose pieces were streamed', () => {
  expect(
    told(announces('e1'), piece('e1', 'Hel'), piece('e1', 'lo'), message('e1', 'Hello you', 'bye')),
  ).toEqual([
    ['assistant_text', { text: 'Hel', messageId: 'e1', blockIndex: 0 }],
    ['assistant_text', { text: 'lo', messageId: 'e1', blockIndex: 0 }],
    ['assistant_text', { text: ' you', messageId: 'e1', processedAt, blockIndex: 0 }],
    ['assistant_text', { text: 'bye', messageId: 'e1', processedAt, blockIndex: 1 }],
  ]);
});

test('a message that differs from its pieces replaces them', () => {
  const origin = { messageId: 'e1', processedAt };
  expect(told(piece('e1', 'Hullo'), piece('e1', 'more', 1), message('e1', 'Hello')).slice(2)).toEqual([
    notification('text_replaced', { text: 'Hello' }, { ...origin, blockIndex: 0 }),
    notification('text_replaced', { text: '' }, { ...origin, blockIndex: 1 }),
  ]);
});

test('pieces after the complete message, or a repeated message, are not recorded again', () => {
  const events = told(piece('e1', 'Hel'), message('e1', 'Hello'), piece('e1', 'lo'), message('e1', 'Hello'));
  expect(textIn(events)).toBe('Hello');
  expect(terminalOf(message('e1', 'Hello'), message('e1', 'Hello'))?.repeatedEvents).toBe(1);
});

test('pieces of a message that is never completed are kept', () => {
  expect(textIn(told(announces('e1'), piece('e1', 'half'), event('span.model_request_end')))).toBe('half');
});

test('however a text is cut, even within a surrogate pair, it is recorded once', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'é', '👩‍💻', '\ud83d', '\n') });
  const sizes = fc.array(fc.nat({ max: 5 }), { maxLength: 20 });
  fc.assert(
    fc.property(text, sizes, (whole, cuts) => {
      const pieces: Fields[] = [];
      let from = 0;
      for (const size of cuts) {
        pieces.push(piece('e1', whole.slice(from, from + size)));
        from += size;
      }
      const events = told(...pieces, message('e1', whole));
      expect(textIn(events)).toBe(whole);
      expect(events.every((told) => (told as [string])[0] === 'assistant_text')).toBe(true);
    }),
  );
});

test('the newest 256 of a thousand messages in pieces are remembered', () => {
  const ids = Array.from({ length: 1000 }, (_, index) => `e${index}`);
  const newest = ids.slice(-256);
  const events = told(...ids.map((id) => piece(id, 'te')), ...newest.map((id) => message(id, 'text')));
  expect(textIn(events)).toBe('te'.repeat(1000) + 'xt'.repeat(256));
});

test('complete messages do not displace an incomplete one', () => {
  const others = Array.from({ length: 300 }, (_, index) => [
    piece(`e${index}`, 'a'),
    message(`e${index}`, 'a'),
  ]);
  const events = told(piece('slow', 'be'), ...others.flat(), message('slow', 'begin'));
  expect(textIn(events)).toBe(`be${'a'.repeat(300)}gin`);
});

test('pieces beyond 256 blocks of a message wait for the complete message', () => {
  const texts = Array.from({ length: 300 }, (_, index) => `<${index}>`);
  const events = told(...texts.map((text, index) => piece('e1', text, index)), message('e1', ...texts));
  expect(textIn(events)).toBe(texts.join(''));
  expect(events).toHaveLength(300);
});

test('thinking is a notification, as an event and in pieces', () => {
  expect(
    told(announces('e1', 'agent.thinking'), piece('e1', 'hm'), event('agent.thinking', { id: 'e1' })),
  ).toEqual([
    notification('thinking', { thinking: 'hm' }, { messageId: 'e1' }),
    notification('thinking', { id: 'e1', processed_at }),
  ]);
});

test('tools of every kind are requested under their event’s id and answered by it', () => {
  const custom = event('agent.custom_tool_use', { id: 'c', name: 'mine', session_thread_id: 't' });
  expect(
    told(
      asks('a', 'bash', { command: 'ls' }),
      event('agent.mcp_tool_use', { id: 'b', name: 'find', input: {}, mcp_server_name: 'docs' }),
      custom,
      event('user.custom_tool_result', { custom_tool_use_id: 'c', content: [] }),
      event('agent.mcp_tool_result', { mcp_tool_use_id: 'b', content: [], is_error: true }),
      returns('a', 'ok'),
      event('user.tool_result', { tool_use_id: 'x' }),
    ),
  ).toEqual([
    [
      'tool_request',
      { toolId: 'a', name: 'bash', input: { command: 'ls' }, permission: 'allow', processedAt },
    ],
    ['tool_request', { toolId: 'b', name: 'find', input: {}, mcpServer: 'docs', processedAt }],
    ['tool_request', { toolId: 'c', name: 'mine', input: {}, processedAt, threadId: 't' }],
    ['tool_response', { toolId: 'c', name: 'mine', output: [], isError: false, processedAt }],
    ['tool_response', { toolId: 'b', name: 'find', output: [], isError: true, processedAt }],
    [
      'tool_response',
      { toolId: 'a', name: 'bash', output: [{ type: 'text', text: 'ok' }], isError: false, processedAt },
    ],
    ['tool_response', { toolId: 'x', output: null, isError: false, processedAt }],
  ]);
});

test.each([
  ['end_turn', 'completed'],
  ['retries_exhausted', 'failed'],
  ['budget_reached', 'limit'],
  ['refusal', 'refused'],
])('a session that is idle because of %s has ended: %s', (reason, outcome) => {
  expect(terminalOf(running(), idle(reason))).toMatchObject({ outcome, reason, stopReason: reason });
});

test('a session that waits for an action has not ended', () => {
  const waits = idle('requires_action', { event_ids: ['e1'] });
  expect(told(waits)).toEqual([
    notification('waiting', { type: 'requires_action', event_ids: ['e1'] }, { processedAt }),
  ]);
  expect(terminalOf(running(), waits)).toMatchObject({ outcome: 'failed', reason: 'stream_ended_early' });
  expect(terminalOf(running(), waits, running(), idle('end_turn'))).toMatchObject({ outcome: 'completed' });
});

test('the last status of the session counts', () => {
  expect(terminalOf(running(), idle('end_turn'), running())).toMatchObject({ reason: 'stream_ended_early' });
  expect(terminalOf(running(), idle('bored'))).toMatchObject({
    outcome: 'failed',
    reason: 'unknown_stop_reason',
  });
  expect(terminalOf(running(), event('session.status_terminated'))).toMatchObject({
    outcome: 'failed',
    reason: 'terminated',
  });
  expect(terminalOf(running(), event('session.deleted'))).toMatchObject({
    outcome: 'cancelled',
    reason: 'deleted',
  });
});

test('an error with a retry is a warning; any other fails the run unless it continues', () => {
  expect(told(fails('busy', 'retrying', 'model_overloaded_error'))).toEqual([
    [
      'stream_error',
      {
        message: 'busy',
        errorType: 'model_overloaded_error',
        retrying: true,
        retryStatus: 'retrying',
        processedAt,
      },
    ],
  ]);
  const ended = idle('end_turn');
  expect(terminalOf(running(), fails('busy', 'retrying'))).toMatchObject({ reason: 'stream_ended_early' });
  expect(terminalOf(running(), fails('broken'))).toMatchObject({ outcome: 'failed', reason: 'error' });
  expect(terminalOf(running(), fails('broken'), ended)).toMatchObject({ outcome: 'completed' });
});

test('usage is the total of all requests to the model', () => {
  const span = event('span.model_request_end', {
    model_usage: {
      input_tokens: 3,
      output_tokens: 2,
      cache_read_input_tokens: 1,
      cache_creation_input_tokens: 0,
    },
  });
  expect(terminalOf(running(), span, span)?.usage).toEqual({
    inputTokens: 6,
    outputTokens: 4,
    cacheReadInputTokens: 2,
    cacheWriteInputTokens: 0,
  });
});

test('the session’s own skills and files follow the start, each of them once', () => {
  const skills = [{ type: 'custom', skill_id: 'skill_1', version: '7' }];
  const session = {
    id: 'sesn_1',
    agent: { skills },
    resources: [
      { type: 'file', file_id: 'file_1', mount_path: '/data/a.csv' },
      { type: 'github_repository', url: 'x' },
    ],
  };
  const asked = event('user.message', {
    content: [{ type: 'document', source: { type: 'file', file_id: 'file_1' } }],
  });
  const events = runOf([asked, event('session.updated', { agent: { skills } })], { session });
  expect(events.map(({ kind, data }) => data.event ?? kind)).toEqual([
    'runtime_started',
    'skill_loaded',
    'file_uploaded',
    'user.message',
    'session.updated',
    'runtime_terminal',
  ]);
  expect(events[0]?.data).toEqual({ runtime: 'anthropic-sessions', sessionId: 'sesn_1' });
  expect(events[1]?.data).toEqual({ skill: 'skill_1', version: '7', source: 'custom' });
  expect(events[2]?.data).toEqual({ fileId: 'file_1', path: '/data/a.csv' });
});

test('the ids of the newest 4,096 events are remembered', () => {
  const many = Array.from({ length: 4096 }, (_, index) => message(`x${index}`, ''));
  expect(textIn(told(message('e1', 'a'), ...many.slice(1), message('e1', 'a')))).toBe('a');
  expect(textIn(told(message('e1', 'a'), ...many, message('e1', 'a')))).toBe('aa');
});

test('any value as the session gives a legal run', () => {
  fc.assert(
    fc.property(fc.anything(), (session) => {
      const strange = {
        agent: { skills: [session] },
        resources: [session, { type: 'file', file_id: session }],
      };
      for (const given of [session, strange]) {
        const events = runOf([], { session: given });
        expect(validateRunnerEventBatch({ v: 1, runId: 'run', events })).toMatchObject({ ok: true });
        expect([events[0]?.kind, events.at(-1)?.kind]).toEqual(['runtime_started', 'runtime_terminal']);
      }
    }),
  );
});

test('every other event is a notification with its own name', () => {
  const odd = { type: 'event_delta', event_id: 'e1', delta: { content: { type: 'sound' } } };
  const image = { type: 'redacted' };
  expect(
    told(
      event('session.thread_created', { agent: 'x' }),
      odd,
      event('agent.message', { id: 'e1', content: [image, 7] }),
      event('agent.tool_use', { id: 'e2' }),
    ),
  ).toEqual([
    notification('session.thread_created', { processed_at, agent: 'x' }),
    notification('unknown_delta', odd),
    notification('unknown_content', image, { messageId: 'e1', processedAt, blockIndex: 0 }),
    notification('unknown_content', { block: 7 }, { messageId: 'e1', processedAt, blockIndex: 1 }),
    notification('unknown_line', { type: 'agent.tool_use', processed_at, id: 'e2' }),
  ]);
});
