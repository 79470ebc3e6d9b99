import { expect, test } from 'vitest';
import type { RunnerEvent } from '../../src/contract/events.ts';
import { validateRunnerEventBatch } from '../../src/contract/validate.ts';
import { createDetectingAdapter } from '../../src/runtimes/detecting-adapter.ts';
import { createAdapter, type RuntimeName } from '../../src/runtimes/registry.ts';
import {
  bytesOfRecording,
  objectsOf,
  type Recording,
  recordings,
  recordingsPresent,
  type WireObject,
} from './recordings.ts';

/** The expected contents of one runtime's recordings, read without the adapter. */
interface Wire {
  readonly name: RuntimeName;
  readonly outcomes: Readonly<Record<string, string>>;
  /** Recordings whose outcome differs from their last line. */
  readonly exceptions: Readonly<Record<string, string>>;
  textOf(objects: readonly WireObject[]): string;
  requestsOf(objects: readonly WireObject[]): string[];
  responsesOf(objects: readonly WireObject[]): string[];
}

const blocksOf = (objects: readonly WireObject[], role: string) =>
  objects.filter(({ type }) => type === role).flatMap(({ message }) => message.content);

const itemsOf = (objects: readonly WireObject[], ...types: readonly string[]) =>
  objects.filter(({ type }) => types.includes(type)).map(({ item }) => item);

const CODEX_TOOLS = ['command_execution', 'mcp_tool_call', 'file_change', 'web_search', 'collab_tool_call'];

const toolItemsOf = (objects: readonly WireObject[], ...types: readonly string[]) => [
  ...new Set(
    itemsOf(objects, ...types)
      .filter(({ type }) => CODEX_TOOLS.includes(type))
      .map(({ id }) => id),
  ),
];

const wires: Readonly<Record<string, Wire>> = {
  'claude-code': {
    name: 'claude-code',
    outcomes: {
      'result:success': 'completed',
      'result:success is_error': 'failed',
      'result:success stop_reason refusal': 'refused',
      'result (no subtype)': 'completed',
      'result:error_during_execution': 'failed',
      'result:error_during_execution aborted': 'cancelled',
      'result:error_max_turns': 'limit',
      'result:error_max_budget_usd': 'limit',
      missing: 'failed',
    },
    exceptions: {},
    textOf: (objects) =>
      blocksOf(objects, 'assistant')
        .filter(({ type }) => type === 'text')
        .map(({ text }) => text)
        .join(''),
    requestsOf: (objects) =>
      blocksOf(objects, 'assistant')
        .filter(({ type }) => type === 'tool_use')
        .map(({ id }) => id),
    responsesOf: (objects) =>
      blocksOf(objects, 'user')
        .filter(({ type }) => type === 'tool_result')
        .map((block) => block.tool_use_id),
  },
  codex: {
    name: 'codex',
    outcomes: { 'turn.completed': 'completed', 'turn.failed': 'failed', 'turn.failed then error': 'failed' },
    exceptions: {
      'codex/max-output-tokens.ndjson': 'truncated',
      'codex/context-exceeded.ndjson': 'limit',
    },
    textOf: (objects) =>
      itemsOf(objects, 'item.completed')
        .filter(({ type }) => type === 'agent_message')
        .map(({ text }) => text)
        .join(''),
    requestsOf: (objects) => toolItemsOf(objects, 'item.started', 'item.completed'),
    responsesOf: (objects) => toolItemsOf(objects, 'item.completed'),
  },
  'gemini-cli': {
    name: 'gemini',
    outcomes: {
      'result:success': 'completed',
      // This wire does not show that the text was cut off.
      'result:success (truncated)': 'completed',
      'result:error': 'failed',
      'result:error cancelled': 'cancelled',
      missing: 'failed',
    },
    exceptions: {
      'gemini-cli/loop-detected.ndjson': 'limit',
      'gemini-cli/max-session-turns.ndjson': 'limit',
      'gemini-cli/turn-limit.ndjson': 'limit',
    },
    textOf: (objects) =>
      objects
        .filter(({ type, role }) => type === 'message' && role === 'assistant')
        .map(({ content }) => content)
        .join(''),
    requestsOf: (objects) =>
      objects.filter(({ type }) => type === 'tool_use').map((object) => object.tool_id),
    responsesOf: (objects) =>
      objects.filter(({ type }) => type === 'tool_result').map((object) => object.tool_id),
  },
};

const captures = recordings.filter(({ runtime }) => runtime in wires);

function wireOf({ runtime }: Recording): Wire {
  const wire = wires[runtime];
  if (wire === undefined) throw new Error(`no wire ${runtime}`);
  return wire;
}

function play(recording: Recording, chunkSize: number, create = createAdapter): RunnerEvent[] {
  const adapter = create(wireOf(recording).name, { now: () => 1000 });
  const bytes = bytesOfRecording(recording);
  const events: RunnerEvent[] = [];
  for (let from = 0; from < bytes.length; from += chunkSize) {
    events.push(...adapter.push(bytes.subarray(from, from + chunkSize)));
  }
  return [...events, ...adapter.end({ exitCode: recording.exitCode ?? null })];
}

const ofKind = (events: readonly RunnerEvent[], kind: string) =>
  events.filter((event) => event.kind === kind).map((event) => event.data);

test.skipIf(!recordingsPresent)(
  'recordings of every CLI exist (skipped: their folder is missing, see RUNFEED_CAPTURES)',
  () => {
    for (const runtime of Object.keys(wires)) {
      expect(captures.filter((capture) => capture.runtime === runtime).length).toBeGreaterThan(10);
    }
  },
);

test.each(captures)('$file becomes one legal run with the recorded outcome', (capture) => {
  const wire = wireOf(capture);
  const events = play(capture, 65_536);
  const kinds = events.map((event) => event.kind);
  expect(kinds.indexOf('runtime_started')).toBe(0);
  expect(kinds.lastIndexOf('runtime_started')).toBe(0);
  expect(kinds.indexOf('runtime_terminal')).toBe(kinds.length - 1);
  expect(events[0]?.data.runtime).toBe(wire.name);
  expect(events.at(-1)?.data.outcome).toBe(
    wire.exceptions[capture.file] ?? wire.outcomes[capture.terminal] ?? `none for ${capture.terminal}`,
  );
  expect(validateRunnerEventBatch({ v: 1, runId: 'run', events })).toMatchObject({ ok: true });
  expect(play(capture, 1)).toEqual(events);
  expect(play(capture, 7)).toEqual(events);
});

test.each(captures)('$file keeps its text, once', (capture) => {
  const told = ofKind(play(capture, 100), 'assistant_text').map(({ text }) => text);
  expect(told.join('')).toBe(wireOf(capture).textOf(objectsOf(capture)));
});

test.each(captures)('$file keeps its tool calls and pairs them by id', (capture) => {
  const wire = wireOf(capture);
  const objects = objectsOf(capture);
  const events = play(capture, 100);
  const requested = wire.requestsOf(objects);
  const answered = wire.responsesOf(objects);
  const requests = ofKind(events, 'tool_request');
  expect(requests.map(({ toolId }) => toolId)).toEqual(requested);
  const nameOf = new Map(requests.map(({ toolId, name }) => [toolId, name]));
  const responses = ofKind(events, 'tool_response');
  expect(responses.map(({ toolId, name }) => [toolId, name])).toEqual(
    answered.map((id) => [id, nameOf.get(id)]),
  );
  const listed = (events.at(-1)?.data.openTools ?? []) as readonly { readonly toolId: string }[];
  expect(listed.map(({ toolId }) => toolId)).toEqual(requested.filter((id) => !answered.includes(id)));
});

test.each(captures)('$file has its runtime detected', (capture) => {
  const detecting: typeof createAdapter = (_, options) => createDetectingAdapter(options);
  expect(play(capture, 50, detecting)).toEqual(play(capture, 50));
});

test.each(captures)('all of $file is understood, except lines that are unknown on purpose', (capture) => {
  const known = ofKind(play(capture, 1000), 'notification').map(({ event }) => event);
  const constructed = /unknown|all-item-types/.test(capture.file);
  if (!constructed) expect(known.filter((event) => String(event).startsWith('unknown'))).toEqual([]);
});
