import { expect, test } from 'vitest';
import { createAnthropicMessagesAdapter } from '../../src/runtimes/anthropic/messages.ts';
import { type Fields, middleOf } from './adapters.ts';
import { asks, begins, block, SKILL, stops } from './messages-frames.ts';
import { push, runOf } from './messages-runs.ts';

/** Returns the events of a message's lines, without its start. */
const told = (...lines: Fields[]): unknown[] => middleOf(runOf([begins(), ...lines]));

test('skills that the wire reports at the end are loaded once', () => {
  const skills = stops('end_turn', { container: { skills: [SKILL, SKILL, { type: 'anthropic' }] } });
  const loaded = runOf([begins(), ...skills, begins(), ...skills]).filter(
    ({ kind }) => kind === 'skill_loaded',
  );
  expect(loaded.map((event) => event.data)).toEqual([{ skill: 'skill_1', version: '7', source: 'custom' }]);
});

test('a file from the agent’s input or its container is uploaded once', () => {
  const upload = block(0, { type: 'container_upload', file_id: 'file_1' });
  expect(told(...upload, ...upload)).toEqual([['file_uploaded', { fileId: 'file_1' }]]);
});

test('loads in the host’s request are recorded first, and not repeated for the wire', () => {
  const adapter = createAnthropicMessagesAdapter({ now: () => 1000 });
  const request = {
    container: { skills: [{ type: 'custom', skill_id: 'skill_1', version: 'latest' }] },
    messages: [
      { role: 'user', content: 'plain' },
      {
        role: 'user',
        content: [
          { type: 'document', title: 'Plan', source: { type: 'file', file_id: 'file_1' } },
          { type: 'tool_result', content: [{ type: 'image', source: { type: 'file', file_id: 'file_2' } }] },
          { type: 'image', source: { type: 'base64', data: 'x' } },
        ],
      },
    ],
  };
  expect(adapter.request(request)).toEqual([]);
  const first = push(adapter, [begins()]);
  expect(first.map(({ kind, data }) => [kind, data])).toEqual([
    ['runtime_started', expect.anything()],
    ['skill_loaded', { skill: 'skill_1', version: 'latest', source: 'custom' }],
    ['file_uploaded', { fileId: 'file_1', name: 'Plan' }],
    ['file_uploaded', { fileId: 'file_2' }],
  ]);
  const rest = push(adapter, stops('end_turn', { container: { skills: [SKILL] } }));
  expect(rest.map((event) => event.data.event)).toEqual(['message_delta']);
  expect(adapter.request(request)).toEqual([]);
  const more = adapter.request({ container: { skills: [{ skill_id: 'skill_2' }] } });
  expect(more.map((event) => event.data)).toEqual([{ skill: 'skill_2' }]);
});

test.each([undefined, null, 7, 'x', [], { container: 3, messages: [null, { content: [null, 4] }] }])(
  'an invalid request body gives no events: %j',
  (body) => {
    const adapter = createAnthropicMessagesAdapter();
    push(adapter, [begins()]);
    expect(adapter.request(body)).toEqual([]);
  },
);

test('the first 1,024 skills are recorded once, and further ones whenever they are reported', () => {
  const adapter = createAnthropicMessagesAdapter();
  push(adapter, [begins()]);
  const skills = Array.from({ length: 1030 }, (_, index) => ({ skill_id: `skill_${index}` }));
  expect(adapter.request({ container: { skills } })).toHaveLength(1030);
  expect(adapter.request({ container: { skills } })).toHaveLength(6);
});

test('results from the host close the calls that they answer', () => {
  const adapter = createAnthropicMessagesAdapter({ now: () => 1000, nextSeq: 3 });
  push(adapter, [begins(), ...asks('a', 'shell'), ...asks('b', 'find'), ...stops('tool_use')]);
  const [result] = adapter.toolResult('b', [{ type: 'text', text: 'none' }], true);
  expect(result).toEqual({
    seq: 8,
    tMs: 1000,
    kind: 'tool_response',
    data: { toolId: 'b', name: 'find', output: [{ type: 'text', text: 'none' }], isError: true },
  });
  expect(adapter.end().at(-1)?.data.openTools).toEqual([{ toolId: 'a', name: 'shell' }]);
  expect(adapter.toolResult('a', 'late')).toEqual([]);
});

test('many events from the host before the first line start the run', () => {
  const adapter = createAnthropicMessagesAdapter();
  const events = Array.from({ length: 100 }, (_, index) => adapter.toolResult(`id${index}`, 'ok')).flat();
  expect(events.map((event) => event.kind)).toEqual(['runtime_started', ...Array(100).fill('tool_response')]);
});
