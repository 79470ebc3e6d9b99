import { expect, test } from 'vitest';
import type { RunnerEvent } from '../../src/contract/events.ts';
import { validateRunnerEventBatch } from '../../src/contract/validate.ts';
import { createGooseAdapter } from '../../src/runtimes/goose/goose.ts';
import { bytesOf, type Capture, capturesOf, capturesPresent } from './captures.ts';

const captures = capturesOf('goose');

interface WireItem {
  readonly type: string;
  readonly id: string;
  readonly text: string;
  readonly toolCall: { readonly status: string };
}

/** Returns the content items on the wire, read without the adapter. */
function itemsOf(bytes: Buffer): { readonly role: string; readonly item: WireItem }[] {
  return bytes
    .toString()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))
    .filter((line) => line.type === 'message')
    .flatMap(({ message }) => message.content.map((item: WireItem) => ({ role: message.role, item })));
}

function outcomeOf({ terminal }: Capture): string {
  return terminal === 'complete' ? 'completed' : 'failed';
}

function play(capture: Capture, bytes: Buffer, chunkSize: number): RunnerEvent[] {
  const adapter = createGooseAdapter({ now: () => 1000 });
  const events: RunnerEvent[] = [];
  for (let from = 0; from < bytes.length; from += chunkSize) {
    events.push(...adapter.push(bytes.subarray(from, from + chunkSize)));
  }
  return [...events, ...adapter.end({ exitCode: capture.exitCode ?? 0 })];
}

const idsOf = (events: readonly RunnerEvent[], kind: string) =>
  events.filter((event) => event.kind === kind).map((event) => event.data.toolId);

test.skipIf(!capturesPresent)(
  'recordings of Goose exist (skipped: their folder is missing, see RUNFEED_CAPTURES)',
  () => {
    expect(captures.length).toBeGreaterThan(0);
  },
);

test.each(captures)('$file becomes one legal run with the recorded outcome', (capture) => {
  const bytes = bytesOf(capture);
  const events = play(capture, bytes, 65_536);
  const kinds = events.map((event) => event.kind);
  expect(kinds.indexOf('runtime_started')).toBe(0);
  expect(kinds.lastIndexOf('runtime_started')).toBe(0);
  expect(kinds.indexOf('runtime_terminal')).toBe(kinds.length - 1);
  expect(events.at(-1)?.data.outcome).toBe(outcomeOf(capture));
  expect(validateRunnerEventBatch({ v: 1, runId: 'run', events })).toMatchObject({ ok: true });
  expect(play(capture, bytes, 1)).toEqual(events);
});

test.each(captures)('$file keeps its text', (capture) => {
  const bytes = bytesOf(capture);
  const written = itemsOf(bytes).filter(({ role, item }) => role === 'assistant' && item.type === 'text');
  const told = play(capture, bytes, 100).filter((event) => event.kind === 'assistant_text');
  expect(told.map((event) => event.data.text).join('')).toBe(written.map(({ item }) => item.text).join(''));
});

test.each(captures)('$file keeps its tool calls and pairs them by id', (capture) => {
  const bytes = bytesOf(capture);
  const items = itemsOf(bytes).map(({ item }) => item);
  const events = play(capture, bytes, 100);
  const requested = items.filter((item) => item.type === 'toolRequest' && item.toolCall.status === 'success');
  const answered = items.filter((item) => item.type === 'toolResponse');
  expect(idsOf(events, 'tool_request')).toEqual(requested.map((item) => item.id));
  expect(idsOf(events, 'tool_response')).toEqual(answered.map((item) => item.id));
  const open = requested.filter(({ id }) => !answered.some((answer) => answer.id === id)).map(({ id }) => id);
  const listed = (events.at(-1)?.data.openTools ?? []) as readonly { readonly toolId: string }[];
  expect(listed.map((tool) => tool.toolId)).toEqual(open);
});

test.skipIf(!capturesPresent)('the recorded banner names provider, model, session and directory', () => {
  const noisy = captures.filter((capture) => capture.file.endsWith('.noisy.ndjson'));
  expect(noisy.length).toBeGreaterThan(0);
  for (const capture of noisy) {
    const [start] = play(capture, bytesOf(capture), 100);
    expect(start?.data).toMatchObject({
      provider: 'anthropic',
      model: expect.stringContaining('claude'),
      sessionId: expect.stringMatching(/^\d+_\d+$/),
      directory: '/home/daytona',
    });
  }
});

test.skipIf(!capturesPresent)(
  'of the recorded skill loads only the successful one becomes a skill_loaded',
  () => {
    const capture = captures.find(({ file }) => file.endsWith('skill-load.ndjson'));
    expect(capture).toBeDefined();
    if (capture === undefined) return;
    const events = play(capture, bytesOf(capture), 100);
    expect(events.filter((event) => event.kind === 'skill_loaded').map((event) => event.data)).toEqual([
      { skill: 'release-notes', source: 'skills', toolId: 'call_1' },
    ]);
  },
);
