import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RunnerEvent } from '../../src/contract/events.ts';
import { detectRuntime, UnknownRuntimeError } from '../../src/runtimes/detect.ts';
import { createDetectingAdapter, MAX_UNDECIDED_BYTES } from '../../src/runtimes/detecting-adapter.ts';
import { createAdapter, isRuntimeName, RUNTIME_NAMES } from '../../src/runtimes/registry.ts';
import { COMPLETE, runOf as gooseRunOf, says } from './goose-lines.ts';
import { bytesOf, type Lines, playerOf } from './player.ts';
import { bytesOfRecording, recordings, recordingsPresent } from './recordings.ts';

const NAME_OF_FOLDER: Readonly<Record<string, string>> = { 'gemini-cli': 'gemini', 'goose-server': 'goosed' };
const detecting = playerOf(createDetectingAdapter);

test.skipIf(!recordingsPresent)(
  'recordings exist (skipped: their folder is missing, see RUNFEED_CAPTURES)',
  () => {
    const names = recordings.map(({ runtime }) => NAME_OF_FOLDER[runtime] ?? runtime);
    expect(RUNTIME_NAMES.filter((name) => !names.includes(name))).toEqual([]);
  },
);

test.each(recordings)('$file is detected by its first lines', (recording) => {
  const lines = bytesOfRecording(recording).toString().split('\n');
  expect(detectRuntime(lines)).toBe(NAME_OF_FOLDER[recording.runtime] ?? recording.runtime);
});

test.each(recordings)('$file is detected even if its beginning is missing', (recording) => {
  const lines = bytesOfRecording(recording).toString().split('\n');
  const own = NAME_OF_FOLDER[recording.runtime] ?? recording.runtime;
  for (const line of lines) {
    let name: string | null = null;
    try {
      name = detectRuntime([line]);
    } catch {
      continue;
    }
    expect(name).toBe(own);
  }
});

test.each([
  ['claude-code', { type: 'system', subtype: 'init' }],
  ['claude-code', { type: 'system', subtype: 'hook_started' }],
  ['claude-code', { type: 'result', total_cost_usd: 1 }],
  ['codex', { type: 'thread.started', thread_id: 't' }],
  ['codex', { type: 'error', message: 'no model' }],
  ['gemini', { type: 'init', timestamp: '2026-01-01T00:00:00Z', session_id: 's' }],
  ['gemini', { type: 'result', status: 'error' }],
  ['gemini', { type: 'error', severity: 'error', message: 'blocked' }],
  ['goose', { type: 'message', message: { content: [] } }],
  ['goose', { type: 'error', error: 'no provider' }],
  ['goose', { type: 'complete', total_tokens: null }],
])('%s is detected by %o alone', (name, line) => {
  expect(detectRuntime(['', 'a banner', '[1]', '{"half":', JSON.stringify(line)])).toBe(name);
});

test.each([
  ['anthropic-messages', 'data: {"type":"ping"}'],
  ['anthropic-messages', 'data:{"type":"error","error":{"type":"overloaded_error"}}'],
  ['anthropic-sessions', 'data: {"type":"session.status_running"}'],
  ['anthropic-sessions', 'data: {"type":"user.message","content":[]}'],
  ['goosed', 'data: {"type":"Ping"}'],
  ['goosed', 'data: {"type":"Error","error":"no"}'],
])('%s is detected by the frame %s', (name, line) => {
  expect(detectRuntime([': comment', 'event: x', 'id: 1', line])).toBe(name);
});

test.each([
  ['nothing', []],
  ['noise', ['hello', '', '[]', '{}']],
  ['an unknown type', ['{"type":"future"}', 'data: {"type":"future"}']],
  ['an error of unknown shape', ['{"type":"error"}', '{"type":"error","error":{}}']],
  ['a frame without its data', ['event: message_start', 'data: [DONE]']],
])('%s causes an error that lists the names and the option to pass', (_, lines) => {
  expect(() => detectRuntime(lines)).toThrow(UnknownRuntimeError);
  expect(() => detectRuntime(lines)).toThrow('Pass --runtime with one of: anthropic-messages, ');
  for (const name of RUNTIME_NAMES) expect(() => detectRuntime(lines)).toThrow(name);
});

test.each(RUNTIME_NAMES)('%s has an adapter of that name', (name) => {
  expect(createAdapter(name).end()[0]?.data.runtime).toBe(name);
});

test('names of runtimes are distinguished from other words', () => {
  expect(RUNTIME_NAMES.filter((name) => !isRuntimeName(name))).toEqual([]);
  expect(['', 'Goose', 'toString'].filter(isRuntimeName)).toEqual([]);
});

describe('the detecting adapter', () => {
  const unknown = [{ type: 'future', x: 1 }, 'noise', { type: 'later' }];

  test('returns no events until a line identifies the runtime, and then all, including noise', () => {
    const adapter = createDetectingAdapter({ now: () => 1000 });
    expect(adapter.push(bytesOf(['a banner', { type: 'future' }]))).toEqual([]);
    const events = [...adapter.push(bytesOf([says('hi'), COMPLETE])), ...adapter.end({ exitCode: 0 })];
    expect(events).toEqual(
      gooseRunOf(['a banner', { type: 'future' }, says('hi'), COMPLETE], { exitCode: 0 }),
    );
  });

  test('copies each chunk, so that the caller can reuse it', () => {
    const adapter = createDetectingAdapter({ now: () => 1000 });
    const chunk = bytesOf(['a banner']);
    adapter.push(chunk);
    chunk.fill(0x78);
    const events = [...adapter.push(bytesOf([COMPLETE])), ...adapter.end()];
    expect(events.at(-1)?.data.noise).toEqual({ lines: 1, tail: 'a banner' });
  });

  test('can decide at the end by a last line without a line feed', () => {
    const adapter = createDetectingAdapter({ now: () => 1000 });
    expect(adapter.push(bytesOf([COMPLETE]).subarray(0, -1))).toEqual([]);
    expect(adapter.end({ exitCode: 0 }).map(({ data }) => data.runtime ?? data.outcome)).toEqual([
      'goose',
      'completed',
    ]);
  });

  test('records lines of an unknown runtime as a failed run, and loses none', () => {
    const events = detecting.runOf(unknown, { exitCode: 0 });
    expect(events.map(({ kind, data }) => [kind, data.runtime ?? data.payload ?? data.reason])).toEqual([
      ['runtime_started', 'unknown'],
      ['notification', { type: 'future', x: 1 }],
      ['notification', { type: 'later' }],
      ['runtime_terminal', 'unknown_runtime'],
    ]);
    expect(events.at(-1)?.data.errors).toEqual([expect.stringContaining('Pass --runtime with one of: ')]);
    expect(events.at(-1)?.data.noise).toEqual({ lines: 1, tail: 'noise' });
  });

  test('leaves the outcome to the exit if no line could be read', () => {
    expect(detecting.endOf([], { exitCode: 127, stderrTail: 'not found' })).toEqual(['failed', 'exit_code']);
    expect(detecting.endOf([], { signal: 'SIGTERM' })).toEqual(['cancelled', 'signal']);
    expect(detecting.terminalOf([])?.errors).toBeUndefined();
    expect(detecting.terminalOf(['usage: …'])).toMatchObject({
      reason: 'stream_ended_early',
      errors: [expect.stringContaining('--runtime')],
    });
  });

  test('stops after a mebibyte, wherever the chunks are cut', () => {
    const noise = Array.from({ length: 1100 }, (_, index) => `${index} ${'n'.repeat(1000)}`);
    expect(bytesOf(noise).length).toBeGreaterThan(MAX_UNDECIDED_BYTES);
    const early = [...noise.slice(0, 1000), says('hi'), COMPLETE, ...noise];
    expect(detecting.endOf(early, { exitCode: 0 })).toEqual(['completed', 'complete']);
    const late = [...noise, says('hi'), COMPLETE];
    const whole = detecting.runOf(late, { exitCode: 0 });
    expect(whole[0]?.data.runtime).toBe('unknown');
    expect(whole.at(-1)?.data).toMatchObject({ outcome: 'failed', reason: 'unknown_runtime' });
    expect(whole.filter(({ data }) => data.event === 'unknown_line')).toHaveLength(2);
    for (const size of [999, 65_536, MAX_UNDECIDED_BYTES]) expect(inChunks(late, size)).toEqual(whole);
  });

  function inChunks(lines: Lines, size: number): RunnerEvent[] {
    const adapter = createDetectingAdapter({ now: () => 1000 });
    const bytes = bytesOf(lines);
    const events: RunnerEvent[] = [];
    for (let from = 0; from < bytes.length; from += size) {
      events.push(...adapter.push(bytes.subarray(from, from + size)));
    }
    return [...events, ...adapter.end({ exitCode: 0 })];
  }

  test('returns the same events for any chunks', () => {
    const line = fc.constantFrom<Lines[number]>('noise', { type: 'future' }, says('hi'), COMPLETE, '{');
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), fc.integer({ min: 1, max: 80 }), (lines, size) => {
        expect(inChunks(lines, size)).toEqual(detecting.runOf(lines, { exitCode: 0 }));
      }),
    );
  });
});
