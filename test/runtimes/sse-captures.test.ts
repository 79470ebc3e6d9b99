import { expect, test } from 'vitest';
import type { RunnerEvent } from '../../src/contract/events.ts';
import { validateRunnerEventBatch } from '../../src/contract/validate.ts';
import { createAnthropicMessagesAdapter } from '../../src/runtimes/anthropic/messages.ts';
import { createAnthropicSessionsAdapter } from '../../src/runtimes/anthropic/sessions.ts';
import { createGoosedAdapter } from '../../src/runtimes/goose/goosed.ts';
import { playBytes } from './adapters.ts';
import { bytesOf, type Capture, capturesOf, capturesPresent, frameObjectsOf } from './captures.ts';

const messages = capturesOf('anthropic-messages');
const sessions = capturesOf('anthropic-sessions');
const goosed = capturesOf('goose-server');

const OUTCOMES: Readonly<Record<string, string>> = {
  end_turn: 'completed',
  stop_sequence: 'completed',
  max_tokens: 'truncated',
  model_context_window_exceeded: 'truncated',
  refusal: 'refused',
  'error:overloaded_error': 'failed',
  'error:rate_limit_error': 'failed',
  'idle:end_turn': 'completed',
  'idle:retries_exhausted': 'failed',
  Finish: 'completed',
  'Finish (but failed)': 'failed',
  Error: 'failed',
  // A run of one request ends when it requests tools.
  tool_use: 'completed',
  pause_turn: 'completed',
};

const isWaiting = ({ terminal }: Capture) => terminal === 'tool_use' || terminal === 'pause_turn';

function adapterFor(capture: Capture) {
  const now = () => 1000;
  switch (capture.runtime) {
    case 'anthropic-messages':
      return createAnthropicMessagesAdapter({ now, singleRequest: isWaiting(capture) });
    case 'anthropic-sessions':
      return createAnthropicSessionsAdapter({ now });
    default:
      return createGoosedAdapter({ now });
  }
}

const play = (capture: Capture, chunkSize = 65_536) =>
  playBytes(adapterFor(capture), bytesOf(capture), { exitCode: capture.exitCode ?? null }, chunkSize);

const dataOf = (events: readonly RunnerEvent[], kind: string) =>
  events.filter((event) => event.kind === kind).map((event) => event.data);
const idsOf = (events: readonly RunnerEvent[], kind: string) =>
  dataOf(events, kind).map((data) => data.toolId);
const textOf = (events: readonly RunnerEvent[]) =>
  dataOf(events, 'assistant_text')
    .map((data) => data.text)
    .join('');
const openOf = (events: readonly RunnerEvent[]) => events.at(-1)?.data.openTools ?? [];

test.skipIf(!capturesPresent)(
  'recordings exist (skipped: their folder is missing, see RUNFEED_CAPTURES)',
  () => {
    expect([messages.length, sessions.length, goosed.length].every((count) => count > 0)).toBe(true);
  },
);

test.each([...messages, ...sessions, ...goosed])(
  '$file is one legal run with the recorded outcome',
  (capture) => {
    const events = play(capture);
    const kinds = events.map((event) => event.kind);
    expect(kinds.indexOf('runtime_started')).toBe(0);
    expect(kinds.lastIndexOf('runtime_started')).toBe(0);
    expect(kinds.indexOf('runtime_terminal')).toBe(kinds.length - 1);
    const outcome = OUTCOMES[capture.terminal];
    expect(outcome).toBeDefined();
    expect(events.at(-1)?.data.outcome).toBe(outcome);
    for (let from = 0; from < events.length; from += 256) {
      const batch = { v: 1, runId: 'run', events: events.slice(from, from + 256) };
      expect(validateRunnerEventBatch(batch)).toMatchObject({ ok: true });
    }
  },
);

test.each([...messages, ...sessions, ...goosed])('all of $file is understood', (capture) => {
  const events = dataOf(play(capture), 'notification').map((data) => String(data.event));
  expect(events.filter((event) => event.startsWith('unknown'))).toEqual([]);
  expect(play(capture).at(-1)?.data).not.toHaveProperty('noise');
});

test.each([...messages, ...sessions, ...goosed])('$file gives the same events for any chunks', (capture) => {
  const events = play(capture);
  for (const size of [1, 7, 1000]) expect(play(capture, size)).toEqual(events);
});

interface MessagesFrame {
  readonly type: string;
  readonly index: number;
  readonly delta: { readonly type: string; readonly text: string; readonly partial_json: string };
  readonly content_block: {
    readonly type: string;
    readonly id: string;
    readonly text: string;
    readonly input: unknown;
    readonly tool_use_id: string;
  };
}

test.each(messages)('$file keeps its text, without repeats and losses', (capture) => {
  const written = frameObjectsOf<MessagesFrame>(capture).map(({ type, delta, content_block: block }) => {
    if (type === 'content_block_delta' && delta.type === 'text_delta') return delta.text;
    return type === 'content_block_start' && block.type === 'text' ? block.text : '';
  });
  expect(textOf(play(capture))).toBe(written.join(''));
});

test.each(messages)('$file keeps its tool calls with their inputs, and pairs them by id', (capture) => {
  const frames = frameObjectsOf<MessagesFrame>(capture);
  // A block is a call only if it is stopped before another message begins or the stream ends.
  const requested: { readonly id: string; readonly input: unknown }[] = [];
  for (const [at, { type, content_block: block, index }] of frames.entries()) {
    if (type !== 'content_block_start' || !block.type.endsWith('tool_use')) continue;
    const rest = frames.slice(at + 1);
    const end = rest.findIndex(
      (frame) =>
        frame.type === 'message_start' || (frame.type === 'content_block_stop' && frame.index === index),
    );
    if (rest[end]?.type !== 'content_block_stop') continue;
    const pieces = rest.slice(0, end).filter((frame) => frame.index === index);
    const json = pieces.map((frame) => frame.delta.partial_json).join('');
    requested.push({ id: block.id, input: json === '' ? block.input : JSON.parse(json) });
  }
  const answered = frames
    .filter(({ type, content_block: block }) => type === 'content_block_start' && 'tool_use_id' in block)
    .map((frame) => frame.content_block.tool_use_id);
  const events = play(capture);
  expect(dataOf(events, 'tool_request').map(({ toolId, input }) => ({ id: toolId, input }))).toEqual(
    requested,
  );
  expect(idsOf(events, 'tool_response')).toEqual(answered);
  for (const { name } of dataOf(events, 'tool_response')) expect(name).toBeTypeOf('string');
  const open = requested.filter(({ id }) => !answered.includes(id)).map(({ id }) => id);
  expect(openOf(events)).toMatchObject(open.map((toolId) => ({ toolId })));
});

test.each(messages.filter(isWaiting))('$file has not ended while the host may continue', (capture) => {
  const events = playBytes(createAnthropicMessagesAdapter(), bytesOf(capture));
  expect(events.at(-1)?.data).toMatchObject({ outcome: 'failed', reason: 'stream_ended_early' });
  expect(events.at(-1)?.data.stopReason).toBe(capture.terminal);
});

test.skipIf(!capturesPresent)('two recorded requests become one run, with the result between them', () => {
  const [first, second] = ['step1', 'step2'].map((step) =>
    messages.find(({ file }) => file.endsWith(`thinking-tool-use.${step}.sse`)),
  );
  expect(first && second).toBeDefined();
  if (first === undefined || second === undefined) return;
  const adapter = createAnthropicMessagesAdapter({ now: () => 1000 });
  const asked = adapter.push(bytesOf(first));
  const [toolId] = idsOf(asked, 'tool_request');
  const events = [
    ...asked,
    ...adapter.toolResult(String(toolId), '2'),
    ...adapter.push(bytesOf(second)),
    ...adapter.end(),
  ];
  expect(idsOf(events, 'tool_response')).toEqual([toolId]);
  expect(dataOf(events, 'notification').map((data) => data.event)).toContain('waiting');
  expect(events.at(-1)?.data).toMatchObject({ outcome: 'completed', reason: 'end_turn' });
  expect(events.at(-1)?.data).not.toHaveProperty('openTools');
});

interface SessionFrame {
  readonly type: string;
  readonly id: string;
  readonly content: readonly { readonly text: string }[];
  readonly tool_use_id?: string;
  readonly mcp_tool_use_id?: string;
}

test.each(sessions)('$file keeps its text and its tool calls', (capture) => {
  const frames = frameObjectsOf<SessionFrame>(capture);
  const written = frames.filter(({ type }) => type === 'agent.message').flatMap(({ content }) => content);
  const requested = frames.filter(({ type }) => type.endsWith('tool_use')).map(({ id }) => id);
  const answered = frames
    .filter(({ type }) => type.endsWith('tool_result'))
    .map((frame) => frame.tool_use_id ?? frame.mcp_tool_use_id);
  const events = play(capture);
  expect(textOf(events)).toBe(written.map(({ text }) => text).join(''));
  expect(idsOf(events, 'tool_request')).toEqual(requested);
  expect(idsOf(events, 'tool_response')).toEqual(answered);
  expect(openOf(events)).toEqual([]);
});

interface GoosedFrame {
  readonly message?: {
    readonly role: string;
    readonly content?: readonly { readonly type: string; readonly id: string; readonly text: string }[];
  };
}

test.each(goosed)('$file keeps its text and its tool calls', (capture) => {
  const items = frameObjectsOf<GoosedFrame>(capture).flatMap(({ message }) =>
    (message?.content ?? []).map((item) => ({ ...item, role: message?.role })),
  );
  const events = play(capture);
  const said = items.filter(({ type, role }) => type === 'text' && role === 'assistant');
  expect(textOf(events)).toBe(said.map(({ text }) => text).join(''));
  const idsOn = (wire: string) => items.filter(({ type }) => type === wire).map(({ id }) => id);
  expect(idsOf(events, 'tool_request')).toEqual(idsOn('toolRequest'));
  expect(idsOf(events, 'tool_response')).toEqual(idsOn('toolResponse'));
});
