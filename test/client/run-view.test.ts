import { describe, expect, test } from 'vitest';
import { DEMO_TRANSCRIPT } from '../../src/cli/transcript.ts';
import { createRunView } from '../../src/client/stream/view.ts';
import type { JsonObject, RunnerEvent, RunnerEventKind } from '../../src/contract/events.ts';
import { createGooseAdapter } from '../../src/runtimes/goose/goose.ts';

const event = (seq: number, kind: RunnerEventKind, data: JsonObject): RunnerEvent => ({
  seq,
  tMs: seq,
  kind,
  data,
});

describe('a view of a run', () => {
  test('contains the text so far, the tool calls with their answers, and the end', () => {
    const view = createRunView();
    expect([view.text(), view.toolCalls(), view.terminal(), view.lastSeq()]).toEqual(['', [], null, -1]);
    view
      .apply(event(0, 'runtime_started', {}))
      .apply(event(1, 'assistant_text', { text: 'Let me ' }))
      .apply(event(2, 'tool_request', { toolId: 'a', name: 'shell', input: { command: 'ls' } }))
      .apply(event(3, 'tool_request', { toolId: 'b', name: 'read' }))
      .apply(event(4, 'tool_response', { toolId: 'b', output: 'two' }))
      .apply(event(5, 'assistant_text', { text: 'see.' }));
    expect(view.text()).toBe('Let me see.');
    expect(view.toolCalls()).toEqual([
      {
        toolId: 'a',
        name: 'shell',
        request: { toolId: 'a', name: 'shell', input: { command: 'ls' } },
        response: null,
      },
      {
        toolId: 'b',
        name: 'read',
        request: { toolId: 'b', name: 'read' },
        response: { toolId: 'b', output: 'two' },
      },
    ]);
    const end = event(9, 'runtime_terminal', { outcome: 'completed' });
    expect(view.apply(end).terminal()).toBe(end);
    expect(view.lastSeq()).toBe(9);
  });

  test('applies an event once, and accepts an answer without its request', () => {
    const view = createRunView();
    const text = event(7, 'assistant_text', { text: 'once' });
    expect(view.apply(text).apply(text).text()).toBe('once');
    view.apply(event(8, 'tool_response', { toolId: 'z', name: 'late', output: [] }));
    expect(view.toolCalls()).toMatchObject([{ toolId: 'z', name: 'late', request: null }]);
  });

  test('keeps only the end of the text and the newest calls of a long run', () => {
    const view = createRunView({ maxText: 1_000, maxToolCalls: 10 });
    for (let seq = 0; seq < 20_000; seq += 2) {
      view.apply(event(seq, 'assistant_text', { text: `${seq} ` }));
      view.apply(event(seq + 1, 'tool_request', { toolId: String(seq), name: 'x' }));
    }
    expect(view.text()).toMatch(/^(\d+ )+19998 $/);
    expect(view.text().length).toBeGreaterThanOrEqual(1_000);
    expect(view.text().length).toBeLessThan(1_010);
    expect(view.toolCalls().map(({ toolId }) => toolId)).toEqual(
      Array.from({ length: 10 }, (_, index) => String(19_980 + 2 * index)),
    );
  });

  test('pairs every call of a complete run', () => {
    const adapter = createGooseAdapter();
    const bytes = Buffer.from(DEMO_TRANSCRIPT.map((line) => `${line}\n`).join(''));
    const view = createRunView();
    for (const each of [...adapter.push(bytes), ...adapter.end({ exitCode: 0 })]) view.apply(each);
    expect(view.terminal()?.kind).toBe('runtime_terminal');
    expect(view.toolCalls().length).toBeGreaterThan(3);
    expect(view.toolCalls().filter(({ request, response }) => !request || !response)).toEqual([]);
    expect(view.text()).toMatch(/\w+ \w+/);
  });
});
