import { expect, test } from 'vitest';
import { DEMO_TRANSCRIPT } from '../../src/cli/transcript.ts';
import { runOf } from './goose-lines.ts';

const events = runOf(DEMO_TRANSCRIPT, { exitCode: 0 });

test('the demo is a run that succeeds, with usage and no open tool', () => {
  expect(events.at(-1)?.data).toEqual({
    outcome: 'completed',
    reason: 'complete',
    exitCode: 0,
    usage: { totalTokens: 6184, inputTokens: 5702, outputTokens: 482 },
    costUsd: 0.0243,
  });
});

test('the demo is short enough to watch, and all of it is understood', () => {
  expect(DEMO_TRANSCRIPT.length).toBeGreaterThanOrEqual(60);
  expect(DEMO_TRANSCRIPT.length).toBeLessThanOrEqual(90);
  expect(events.filter((event) => String(event.data.event).startsWith('unknown'))).toEqual([]);
});

test('the demo shows text, thinking, a skill, progress, and a tool that fails and is retried', () => {
  const told = new Set(events.map(({ kind, data }) => (kind === 'notification' ? data.event : kind)));
  expect([...told].sort()).toEqual([
    'assistant_text',
    'log',
    'progress',
    'runtime_started',
    'runtime_terminal',
    'skill_loaded',
    'thinking',
    'tool_request',
    'tool_response',
  ]);
  const failed = events.find((event) => event.data.isError === true)?.data.toolId;
  const requests = events.filter((event) => event.kind === 'tool_request').map((event) => event.data);
  const input = requests.find((request) => request.toolId === failed)?.input;
  const [again] = requests
    .filter((request) => request.toolId !== failed && String(request.name) === 'shell')
    .slice(-1);
  expect(input).toBeDefined();
  expect(again?.input).toEqual(input);
});

test('no line of the demo contains a line end', () => {
  expect(DEMO_TRANSCRIPT.filter((line) => /[\r\n]/.test(line))).toEqual([]);
});
