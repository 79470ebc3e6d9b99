import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RunnerEvent } from '../../src/contract/events.ts';
import { validateRunnerEventBatch } from '../../src/contract/validate.ts';
import type { RuntimeExit } from '../../src/runtimes/adapter.ts';
import { createGooseAdapter } from '../../src/runtimes/goose.ts';
import { asks, COMPLETE, message, returns, runOf, says, terminalOf, wireOf } from './goose-lines.ts';

/** Anything, with the field names of the wire here and there and now and then a value that belongs in them. */
const fieldName = fc.constantFrom(
  ...[
    'type',
    'message',
    'content',
    'role',
    'id',
    'text',
    'toolCall',
    'toolResult',
    'status',
    'value',
    'name',
  ],
  ...['arguments', 'metadata', 'userVisible', 'annotations', 'audience', '_meta', 'error', 'log', 'progress'],
  ...['inference', 'extension_id', 'total_tokens', '__proto__', 'constructor', 'toJSON', ''],
);
const word = fc.constantFrom(
  ...[
    'message',
    'notification',
    'complete',
    'error',
    'model_change',
    'assistant',
    'user',
    'text',
    'thinking',
  ],
  ...[
    'toolRequest',
    'toolResponse',
    'systemNotification',
    'creditsExhausted',
    'image',
    'success',
    'load_skill',
  ],
);
const { anything } = fc.letrec((tie) => ({
  anything: fc.oneof(
    { maxDepth: 6 },
    word,
    fc.oneof(fc.string(), fc.double(), fc.boolean(), fc.constant(null)),
    fc.array(tie('anything'), { maxLength: 4 }),
    fc
      .array(fc.tuple(fieldName, tie('anything')), { maxLength: 6 })
      .map((pairs) => Object.fromEntries(pairs)),
  ),
}));
const hostileItem = fc.tuple(word, anything).map(([type, rest]) => ({ ...Object(rest), type }));
const line = fc.oneof(
  fc.tuple(word, anything).map(([type, rest]) => JSON.stringify({ ...Object(rest), type })),
  fc
    .tuple(anything, fc.array(fc.oneof(hostileItem, anything)), anything)
    .map(([role, content, metadata]) => JSON.stringify(message('assistant', content, { role, metadata }))),
  fc
    .constantFrom(says('hi'), asks('a', 'shell'), returns('a', 'ok'), COMPLETE)
    .map((known) => JSON.stringify(known)),
  anything.map((value) => JSON.stringify(value)),
  fc.string(),
  fc.constant('{"type":"message","message":{"content":[{"type":"x","n":1e999}]}}'),
);
const exit: fc.Arbitrary<RuntimeExit | undefined> = fc.option(
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

test('whatever the lines hold, the run is legal: one start, one terminal, and events that the contract takes', () => {
  fc.assert(
    fc.property(fc.array(line, { maxLength: 20 }), exit, fc.nat({ max: 1000 }), (lines, how, nextSeq) => {
      expectLegalRun(runOf(lines, how, { nextSeq }), nextSeq);
    }),
    { numRuns: 500 },
  );
});

test('bytes that are no text at all give a legal run too', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const adapter = createGooseAdapter();
      expectLegalRun([...adapter.push(bytes), ...adapter.end()]);
    }),
  );
});

test('the same bytes in any chunks give the same events', () => {
  const sizes = fc.array(fc.nat({ max: 50 }), { maxLength: 60 });
  fc.assert(
    fc.property(fc.array(line, { maxLength: 10 }), sizes, (lines, cuts) => {
      const bytes = wireOf(lines);
      const adapter = createGooseAdapter({ now: () => 1000 });
      const events: RunnerEvent[] = [];
      let from = 0;
      for (const size of cuts) {
        events.push(...adapter.push(bytes.subarray(from, from + size)));
        from += size;
      }
      events.push(...adapter.push(bytes.subarray(from)), ...adapter.end());
      expect(events).toEqual(runOf(lines));
    }),
  );
});

test('tMs follows the clock but never goes back, nor below the last time of before', () => {
  const times = [50, 40, 90.7, Number.NaN, Number.POSITIVE_INFINITY, -1];
  const adapter = createGooseAdapter({ now: () => times.shift() ?? 100, lastTMs: 45 });
  const events = [
    ...adapter.push(wireOf([says('a'), says('b'), says('c'), says('d'), says('e')])),
    ...adapter.end(),
  ];
  expect(events.map((event) => event.tMs)).toEqual([50, 50, 90, 90, 90, 90, 100]);
});

test('events are given as soon as their line is complete', () => {
  const adapter = createGooseAdapter();
  const bytes = wireOf([says('a')]);
  expect(adapter.push(bytes.subarray(0, -1))).toEqual([]);
  expect(adapter.push(bytes.subarray(-1)).map((event) => event.kind)).toEqual([
    'runtime_started',
    'assistant_text',
  ]);
});

test('a last line without its line feed still counts', () => {
  const adapter = createGooseAdapter();
  adapter.push(wireOf([COMPLETE]).subarray(0, -1));
  expect(adapter.end().map((event) => event.data.outcome ?? event.kind)).toEqual([
    'runtime_started',
    'completed',
  ]);
});

test('after the end nothing more comes, neither from bytes nor from a second end', () => {
  const adapter = createGooseAdapter();
  adapter.push(wireOf([COMPLETE]));
  adapter.end();
  expect(adapter.push(wireOf([says('late')]))).toEqual([]);
  expect(adapter.end()).toEqual([]);
});

test('a run that printed nothing is a start and a failed terminal', () => {
  expect(runOf([]).map(({ kind, data }) => [kind, data.outcome, data.reason])).toEqual([
    ['runtime_started', undefined, undefined],
    ['runtime_terminal', 'failed', 'stream_ended_early'],
  ]);
});

test('a run that goes on in a new adapter says so instead of starting a second time', () => {
  const events = runOf(
    [says('on')],
    {},
    { resumed: true, nextSeq: 7, lastTMs: 2000, sessionName: 'nightly' },
  );
  expect(events.map(({ seq, tMs, kind }) => [seq, tMs, kind])).toEqual([
    [7, 2000, 'notification'],
    [8, 2000, 'assistant_text'],
    [9, 2000, 'runtime_terminal'],
  ]);
  expect(events[0]?.data).toEqual({
    event: 'resumed',
    payload: { runtime: 'goose', sessionName: 'nightly' },
  });
});

test('noise does not start the run, is counted, and its end is offered in the terminal', () => {
  const lines = ['', 'npm warn', '[1]', '{"no":"type"}', '{"type":1}', '{broken', says('a'), 'bye'];
  const events = runOf(lines);
  expect(events.map((event) => event.kind)).toEqual([
    'runtime_started',
    'assistant_text',
    'runtime_terminal',
  ]);
  expect(events.at(-1)?.data.noise).toEqual({
    lines: 6,
    tail: 'npm warn\n[1]\n{"no":"type"}\n{"type":1}\n{broken\nbye',
  });
});

test('of much noise and much standard error only the end is kept', () => {
  const lines = Array.from({ length: 5000 }, (_, index) => `noise ${index}`);
  const data = terminalOf(lines, { exitCode: 1, stderrTail: `${'e'.repeat(10_000)}last` });
  const noise = data?.noise as { lines: number; tail: string };
  expect(noise.lines).toBe(5000);
  expect(noise.tail).toHaveLength(4096);
  expect(noise.tail.endsWith('\nnoise 4999')).toBe(true);
  expect(data?.stderrTail).toHaveLength(4096);
  expect(String(data?.stderrTail).endsWith('eelast')).toBe(true);
});

test('a line beyond 16 MiB is left out and counted, and the run goes on', () => {
  const events = runOf([says('x'.repeat(17 * 1024 * 1024)), says('after'), COMPLETE]);
  expect(events.map((event) => event.data.text)).toEqual([undefined, 'after', undefined]);
  expect(events.at(-1)?.data).toMatchObject({ outcome: 'completed', oversizedLines: 1 });
});

const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);

test('what nests deeper than an event may is replaced by a notification that says so', () => {
  const deepest = runOf([`{"type":"new","x":${nested(510)}}`]);
  const tooDeep = runOf([`{"type":"new","x":${nested(511)}}`]);
  expectLegalRun(deepest);
  expect(deepest[1]?.data.event).toBe('unknown_line');
  expectLegalRun(tooDeep);
  expect(tooDeep[1]).toMatchObject({
    kind: 'notification',
    data: { event: 'too_deep', payload: { kind: 'notification', maxLevels: 512 } },
  });
});

test('a hundred thousand levels do no harm, inside a tool call or as a line', () => {
  const call = JSON.stringify(asks('a', 'shell', 'HERE')).replace('"HERE"', nested(100_000));
  const events = runOf([call, nested(100_000), `{"type":"x","y":${nested(100_000)}}`, COMPLETE]);
  expectLegalRun(events);
  expect(events[1]?.data).toMatchObject({ event: 'too_deep', payload: { kind: 'tool_request' } });
  expect(events.at(-1)?.data).toMatchObject({
    outcome: 'completed',
    openTools: [{ toolId: 'a', name: 'shell' }],
  });
});

test('a number beyond the doubles becomes null, and the rest of the event stays', () => {
  const events = runOf(['{"type":"new","big":1e999,"other":[1,-1e999]}']);
  expect(events[1]?.data.payload).toEqual({ type: 'new', big: null, other: [1, null] });
});

test('tool calls beyond what is remembered are counted', () => {
  const lines = Array.from({ length: 1030 }, (_, index) => asks(`id${index}`, 'shell'));
  const data = terminalOf([...lines, asks('x'.repeat(1000), 'shell')]);
  expect(data?.openTools).toHaveLength(1024);
  expect(data?.openToolsUntracked).toBe(7);
});

test('of many errors the terminal keeps the last ten, and one said twice in a row once', () => {
  const lines = Array.from({ length: 15 }, (_, index) => ({ type: 'error', error: `e${index}` }));
  const data = terminalOf([...lines, { type: 'error', error: 'e14' }]);
  expect(data?.errors).toEqual(Array.from({ length: 10 }, (_, index) => `e${index + 5}`));
});
