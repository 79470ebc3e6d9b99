import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RunnerEvent } from '../../src/contract/events.ts';
import { validateRunnerEventBatch } from '../../src/contract/validate.ts';
import type { RuntimeAdapter, RuntimeAdapterOptions, RuntimeExit } from '../../src/runtimes/adapter.ts';
import { createClaudeCodeAdapter } from '../../src/runtimes/claude-code/claude-code.ts';
import { createCodexAdapter } from '../../src/runtimes/codex/codex.ts';
import { createDetectingAdapter } from '../../src/runtimes/detecting-adapter.ts';
import { createGeminiAdapter } from '../../src/runtimes/gemini.ts';
import * as claude from './claude-lines.ts';
import * as codex from './codex-lines.ts';
import * as gemini from './gemini-lines.ts';
import { bytesOf, type Fields, playerOf } from './player.ts';

/** One adapter, with a description of its wire format. */
interface Subject {
  readonly name: string;
  readonly create: (options?: RuntimeAdapterOptions) => RuntimeAdapter;
  /** The types that lines and their contents can have. */
  readonly types: readonly string[];
  /** The names of fields. */
  readonly fields: readonly string[];
  /** Sample lines. */
  readonly samples: readonly Fields[];
  /** Returns a line that makes `filling` part of an event between the first and the last. */
  readonly holding: (filling: unknown) => Fields;
  readonly request: (toolId: string) => Fields;
}

const claudeMessage = (block: Fields) => ({ type: 'assistant', message: { id: 'm', content: [block] } });
const codexItem = (phase: string, item: Fields) => ({ type: `item.${phase}`, item });

const CLAUDE: Subject = {
  name: 'claude-code',
  create: createClaudeCodeAdapter,
  types: [
    ...['system', 'assistant', 'user', 'stream_event', 'result', 'rate_limit_event', 'auth_status'],
    ...[
      'init',
      'hook_started',
      'api_retry',
      'text',
      'thinking',
      'tool_use',
      'tool_result',
      'mcp_tool_result',
    ],
    ...[
      'message_start',
      'content_block_start',
      'content_block_delta',
      'text_delta',
      'image',
      'Skill',
      'success',
    ],
  ],
  fields: [
    ...['type', 'subtype', 'message', 'content', 'event', 'delta', 'index', 'content_block', 'text', 'id'],
    ...['tool_use_id', 'parent_tool_use_id', 'uuid', 'supersedes', 'error', 'errors', 'usage', 'input'],
    ...[
      'name',
      'source',
      'data',
      'citations',
      'skill',
      'model',
      'stop_reason',
      'rate_limit_info',
      '__proto__',
    ],
  ],
  samples: claude.SAMPLES,
  holding: (input) => claudeMessage({ type: 'tool_use', id: 'held', name: 'Bash', input }),
  request: (id) => claudeMessage({ type: 'tool_use', id, name: 'Bash', input: {} }),
};

const CODEX: Subject = {
  name: 'codex',
  create: createCodexAdapter,
  types: [
    ...['thread.started', 'turn.started', 'turn.completed', 'turn.failed', 'item.started', 'item.updated'],
    ...['item.completed', 'error', 'agent_message', 'reasoning', 'command_execution', 'mcp_tool_call'],
    ...['file_change', 'web_search', 'collab_tool_call', 'todo_list', 'completed', 'failed'],
  ],
  fields: [
    ...[
      'type',
      'item',
      'id',
      'text',
      'message',
      'error',
      'usage',
      'command',
      'status',
      'exit_code',
      'server',
    ],
    ...['tool', 'arguments', 'result', 'content', 'changes', 'query', 'action', 'thread_id', '__proto__'],
  ],
  samples: codex.SAMPLES,
  holding: (value) =>
    codexItem('started', { id: 'held', type: 'mcp_tool_call', server: 's', tool: 't', arguments: value }),
  request: (id) => codexItem('started', { id, type: 'command_execution', command: 'ls' }),
};

const GEMINI: Subject = {
  name: 'gemini',
  create: createGeminiAdapter,
  types: [
    ...['init', 'message', 'tool_use', 'tool_result', 'error', 'result', 'user', 'assistant', 'success'],
    ...['activate_skill', 'warning', 'Loop detected', 'FatalCancellationError'],
  ],
  fields: [
    ...['type', 'timestamp', 'session_id', 'model', 'role', 'content', 'delta', 'tool_name', 'tool_id'],
    ...[
      'parameters',
      'status',
      'output',
      'error',
      'message',
      'severity',
      'stats',
      'total_tokens',
      '__proto__',
    ],
  ],
  samples: gemini.SAMPLES,
  holding: (parameters) => ({
    type: 'tool_use',
    timestamp: 'now',
    tool_id: 'held',
    tool_name: 'x',
    parameters,
  }),
  request: (id) => ({ type: 'tool_use', tool_id: id, tool_name: 'x' }),
};

const DETECTING: Subject = {
  ...GEMINI,
  name: 'whichever it is',
  create: createDetectingAdapter,
  types: [...new Set([...CLAUDE.types, ...CODEX.types, ...GEMINI.types])],
  fields: [...new Set([...CLAUDE.fields, ...CODEX.fields, ...GEMINI.fields])],
  samples: [...claude.SAMPLES, ...codex.SAMPLES, ...gemini.SAMPLES],
  request: (id) => ({ ...GEMINI.request(id), timestamp: 'now' }),
};

/** Arbitrary lines that sometimes contain words of the wire format. */
function linesFor({ types, fields, samples }: Subject): fc.Arbitrary<string[]> {
  const word = fc.constantFrom(...types);
  const { anything } = fc.letrec((tie) => ({
    anything: fc.oneof(
      { maxDepth: 6 },
      word,
      fc.oneof(fc.string(), fc.double(), fc.boolean(), fc.constant(null)),
      fc.array(tie('anything'), { maxLength: 4 }),
      fc
        .array(fc.tuple(fc.constantFrom(...fields), tie('anything')), { maxLength: 6 })
        .map((pairs) => Object.fromEntries(pairs)),
    ),
  }));
  const typed = fc.tuple(word, anything).map(([type, rest]) => ({ ...Object(rest), type }));
  const wrapped = fc
    .tuple(word, fc.constantFrom(...fields), fc.oneof(typed, fc.array(typed, { maxLength: 3 })))
    .map(([type, field, inner]) => ({ type, [field]: inner }));
  // A sample with a different value in one field, at any depth.
  const spoiled = fc
    .tuple(fc.constantFrom(...samples), fc.constantFrom(...fields), anything)
    .map(([sample, field, value]) =>
      JSON.parse(JSON.stringify(sample), (key, inner) => (key === field && key !== 'type' ? value : inner)),
    );
  const line = fc.oneof(
    fc.oneof(typed, wrapped, spoiled, spoiled, fc.constantFrom(...samples)).map((it) => JSON.stringify(it)),
    anything.map((value) => JSON.stringify(value)),
    fc.string(),
    fc.constantFrom(...types.map((type) => `{"type":"${type}","content":1e999,"item":{"n":-1e999}}`)),
  );
  return fc.array(line, { maxLength: 20 });
}

const exits: fc.Arbitrary<RuntimeExit | undefined> = fc.option(
  fc.record(
    {
      exitCode: fc.constantFrom(0, 1, 130, null),
      signal: fc.constantFrom('SIGTERM', 'SIGSEGV', null),
      stderrTail: fc.string(),
    },
    { requiredKeys: [] },
  ),
  { nil: undefined },
);

function expectLegalRun(events: readonly RunnerEvent[], firstSeq = 0): void {
  const kinds = events.map((event) => event.kind);
  expect(kinds.filter((kind) => kind === 'runtime_started')).toHaveLength(1);
  expect(kinds.filter((kind) => kind === 'runtime_terminal')).toHaveLength(1);
  expect(kinds[0]).toBe('runtime_started');
  expect(kinds.at(-1)).toBe('runtime_terminal');
  expect(events.map((event) => event.seq)).toEqual(events.map((_, index) => firstSeq + index));
  for (let from = 0; from < events.length; from += 256) {
    const batch = { v: 1, runId: 'run', events: events.slice(from, from + 256) };
    expect(validateRunnerEventBatch(batch)).toMatchObject({ ok: true });
  }
}

const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);

describe.each([DETECTING])('$name', (subject) => {
  const player = playerOf(subject.create);
  const lines = linesFor(subject);

  test('converts any lines to a legal run', () => {
    fc.assert(
      fc.property(lines, exits, fc.nat({ max: 1000 }), (written, exit, nextSeq) => {
        expectLegalRun(player.runOf(written, exit, { nextSeq }), nextSeq);
      }),
      { numRuns: 500 },
    );
  });

  test('converts bytes that are not text to a legal run', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const adapter = subject.create();
        expectLegalRun([...adapter.push(bytes), ...adapter.end()]);
      }),
    );
  });

  test('returns the same events for any chunks', () => {
    fc.assert(
      fc.property(lines, fc.array(fc.nat({ max: 50 }), { maxLength: 60 }), (written, cuts) => {
        const bytes = bytesOf(written);
        const adapter = subject.create({ now: () => 1000 });
        const events: RunnerEvent[] = [];
        let from = 0;
        for (const size of cuts) {
          events.push(...adapter.push(bytes.subarray(from, from + size)));
          from += size;
        }
        events.push(...adapter.push(bytes.subarray(from)), ...adapter.end());
        expect(events).toEqual(player.runOf(written));
      }),
    );
  });

  test('returns no events after the end, neither for bytes nor for a second end', () => {
    const adapter = subject.create();
    adapter.push(bytesOf(subject.samples));
    expect(adapter.end()).not.toEqual([]);
    expect(adapter.push(bytesOf(subject.samples))).toEqual([]);
    expect(adapter.end()).toEqual([]);
  });

  test('omits data that nests deeper than an event may, and reports it', () => {
    for (const levels of [600, 100_000]) {
      const line = JSON.stringify(subject.holding('HERE')).replace('"HERE"', nested(levels));
      const events = player.runOf([line, nested(levels), `{"type":"result","usage":${nested(levels)}}`]);
      expectLegalRun(events);
      expect(events[1]?.data).toMatchObject({ event: 'too_deep', payload: { kind: 'tool_request' } });
    }
  });

  test('remembers a limited number of open tools, and counts the others', () => {
    const requests = Array.from({ length: 1030 }, (_, index) => subject.request(`id${index}`));
    const data = player.terminalOf([...requests, subject.request('x'.repeat(1000))]);
    expect(data?.openTools).toHaveLength(1024);
    expect(data?.openToolsUntracked).toBe(7);
  });
});
