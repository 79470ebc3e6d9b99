import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RunnerEvent } from '../../src/contract/events.ts';
import { validateRunnerEventBatch } from '../../src/contract/validate.ts';
import type { RuntimeAdapterOptions, RuntimeExit } from '../../src/runtimes/adapter.ts';
import { ADAPTERS, type AdapterCase, type Fields, play, textOf } from './adapters.ts';

/** Returns the path of keys to every place in a value. */
function placesIn(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  const inside = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  return [path, ...inside.flatMap(([key, child]) => placesIn(child, [...path, key]))];
}

/** Returns a copy with a different value at one place. */
function withAt(value: unknown, [key, ...rest]: readonly string[], other: unknown): unknown {
  if (key === undefined) return other;
  const copy = structuredClone(value) as Record<string, unknown>;
  copy[key] = withAt(copy[key], rest, other);
  return copy;
}

/** Lines of one runtime: complete, with a different value somewhere, or not lines of it at all. */
function linesFor({ samples }: AdapterCase): fc.Arbitrary<string[]> {
  const places = samples.map((sample) => placesIn(sample));
  const names = [...new Set(places.flat().flatMap((path) => path.slice(-1)))];
  const words = [...new Set(samples.flatMap((sample) => wordsIn(sample)))];
  const { anything } = fc.letrec((tie) => ({
    anything: fc.oneof(
      { maxDepth: 6 },
      fc.constantFrom(...words),
      fc.oneof(fc.string(), fc.double(), fc.boolean(), fc.constant(null)),
      fc.array(tie('anything'), { maxLength: 4 }),
      fc
        .array(
          fc.tuple(fc.constantFrom(...names, '__proto__', 'constructor', 'toJSON', ''), tie('anything')),
          {
            maxLength: 6,
          },
        )
        .map((pairs) => Object.fromEntries(pairs)),
    ),
  }));
  const whole = fc.constantFrom(...samples).map(textOf);
  const broken = fc
    .tuple(fc.nat({ max: samples.length - 1 }), fc.nat(), anything)
    .map(([index, where, other]) => {
      const paths = places[index] ?? [];
      return JSON.stringify(withAt(samples[index], paths[where % paths.length] ?? [], other));
    });
  const strange = fc.oneof(
    anything.map((value) => JSON.stringify(value)),
    fc.string().map((text) => text.replace(/[\r\n]/g, ' ')),
    fc.constant('{"type":"new","n":1e999}'),
  );
  return fc.array(fc.oneof({ arbitrary: whole, weight: 2 }, { arbitrary: broken, weight: 4 }, strange), {
    maxLength: 20,
  });
}

function wordsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(wordsIn) : [];
}

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

const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);

describe.each(ADAPTERS)('the adapter for $name', (adapter) => {
  const run = (lines: readonly (Fields | string)[], exit?: RuntimeExit, options?: RuntimeAdapterOptions) =>
    play(adapter, lines, exit, options);
  const wire = (lines: readonly (Fields | string)[]) => adapter.wireOf(lines.map(textOf));

  test('any lines give a legal run: one start, one terminal, and events that the contract accepts', () => {
    fc.assert(
      fc.property(linesFor(adapter), exit, fc.nat({ max: 1000 }), (lines, how, nextSeq) => {
        expectLegalRun(run(lines, how, { nextSeq }), nextSeq);
      }),
      { numRuns: 500 },
    );
  });

  test('bytes that are not text give a legal run, too', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const made = adapter.create();
        expectLegalRun([...made.push(bytes), ...made.end()]);
      }),
    );
  });

  test('the same bytes in any chunks give the same events', () => {
    const sizes = fc.array(fc.nat({ max: 50 }), { maxLength: 60 });
    fc.assert(
      fc.property(linesFor(adapter), sizes, (lines, cuts) => {
        const bytes = wire(lines);
        const made = adapter.create({ now: () => 1000 });
        const events: RunnerEvent[] = [];
        let from = 0;
        for (const size of cuts) {
          events.push(...made.push(bytes.subarray(from, from + size)));
          from += size;
        }
        events.push(...made.push(bytes.subarray(from)), ...made.end());
        expect(events).toEqual(run(lines));
      }),
    );
  });

  test('tMs follows the clock but never decreases, nor starts below lastTMs', () => {
    const times = [50, 40, 90.7, Number.NaN, Number.POSITIVE_INFINITY, -1];
    const made = adapter.create({ now: () => times.shift() ?? 100, lastTMs: 45 });
    const events = [
      ...made.push(
        wire([adapter.says('a'), adapter.says('b'), adapter.says('c'), adapter.says('d'), adapter.says('e')]),
      ),
      ...made.end(),
    ];
    expect(events.map((event) => event.tMs)).toEqual([50, 50, 90, 90, 90, 90, 100]);
  });

  test('events are returned as soon as their line is complete', () => {
    const made = adapter.create();
    const bytes = wire([adapter.says('a')]);
    expect(made.push(bytes.subarray(0, -1))).toEqual([]);
    expect(made.push(bytes.subarray(-1)).map((event) => event.kind)).toEqual([
      'runtime_started',
      'assistant_text',
    ]);
  });

  test('a last line without a line feed still counts', () => {
    const made = adapter.create();
    made.push(wire(adapter.ends).subarray(0, -1));
    expect(made.end().at(-1)?.data.outcome).toBe('completed');
  });

  test('no events follow the end, neither for bytes nor for a second end', () => {
    const made = adapter.create();
    made.push(wire(adapter.ends));
    made.end();
    expect(made.push(wire([adapter.says('late')]))).toEqual([]);
    expect(made.end()).toEqual([]);
  });

  test('a run without output is a start and a failed terminal', () => {
    expect(run([]).map(({ kind, data }) => [kind, data.outcome, data.reason])).toEqual([
      ['runtime_started', undefined, undefined],
      ['runtime_terminal', 'failed', 'stream_ended_early'],
    ]);
  });

  test('a run that continues in a new adapter begins with resumed instead of a second start', () => {
    const events = run(
      [adapter.says('on')],
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
      payload: { runtime: adapter.name, sessionName: 'nightly' },
    });
  });

  test('unknown lines become notifications with their complete content', () => {
    const [unknown, ...others] = run([{ type: 'brand_new', x: { y: [1] } }]).slice(1, -1);
    expect(others).toEqual([]);
    expect(unknown).toMatchObject({ kind: 'notification', data: { payload: { x: { y: [1] } } } });
    expect(JSON.stringify(unknown?.data)).toContain('brand_new');
  });

  test('an error fails the run, unless the runtime reports another outcome', () => {
    const [, error, terminal] = run([adapter.fails('out of order')]);
    expect(error).toMatchObject({ kind: 'stream_error', data: { message: 'out of order' } });
    expect(terminal?.data).toMatchObject({ outcome: 'failed', errors: ['out of order'] });
  });

  test('the exit of a stopped or failed process outweighs a reported success', () => {
    const outcome = (exit: RuntimeExit) =>
      run([adapter.says('a'), ...adapter.ends], exit).at(-1)?.data.outcome;
    expect([outcome({ exitCode: 0 }), outcome({ exitCode: 1 }), outcome({ signal: 'SIGINT' })]).toEqual([
      'completed',
      'failed',
      'cancelled',
    ]);
  });

  test('noise does not start the run, is counted, and its end is in the terminal', () => {
    const lines = ['', 'npm warn', '[1]', '{"no":"type"}', '{"type":1}', '{broken', adapter.says('a'), 'bye'];
    const events = run(lines);
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

  test('only the end of long noise and long standard error is kept', () => {
    const lines = Array.from({ length: 5000 }, (_, index) => `noise ${index}`);
    const data = run(lines, { exitCode: 1, stderrTail: `${'e'.repeat(10_000)}last` }).at(-1)?.data;
    const noise = data?.noise as { lines: number; tail: string };
    expect(noise.lines).toBe(5000);
    expect(noise.tail).toHaveLength(4096);
    expect(noise.tail.endsWith('\nnoise 4999')).toBe(true);
    expect(data?.stderrTail).toHaveLength(4096);
    expect(String(data?.stderrTail).endsWith('eelast')).toBe(true);
  });

  test('a line above 16 MiB is omitted and counted, and the run continues', () => {
    const events = run([adapter.says('x'.repeat(17 * 1024 * 1024)), adapter.says('after'), ...adapter.ends]);
    const texts = events.filter((event) => event.kind === 'assistant_text').map((event) => event.data.text);
    expect(texts).toEqual(['after']);
    expect(events.at(-1)?.data).toMatchObject({ outcome: 'completed', oversizedLines: 1 });
  });

  test('data that nests too deep is replaced by a notification about it', () => {
    const deepest = run([`{"type":"new","x":${nested(510)}}`]);
    const tooDeep = run([`{"type":"new","x":${nested(511)}}`]);
    expectLegalRun(deepest);
    expect(deepest[1]).toMatchObject({ kind: 'notification', data: { payload: { x: expect.anything() } } });
    expectLegalRun(tooDeep);
    expect(tooDeep[1]).toMatchObject({
      kind: 'notification',
      data: { event: 'too_deep', payload: { kind: 'notification', maxLevels: 512 } },
    });
  });

  test('a hundred thousand levels do no harm, in a tool call or as a line', () => {
    const call = adapter.asks('a', 'HERE').map((line) => textOf(line).replace('"HERE"', nested(100_000)));
    const events = run([...call, nested(100_000), `{"type":"x","y":${nested(100_000)}}`, ...adapter.ends]);
    expectLegalRun(events);
    expect(events[1]?.data).toMatchObject({ event: 'too_deep', payload: { kind: 'tool_request' } });
    expect(events.at(-1)?.data).toMatchObject({
      outcome: 'completed',
      openTools: [{ toolId: 'a', name: 'shell' }],
    });
  });

  test('a number too large for a double becomes null, and the rest of the event is kept', () => {
    const events = run(['{"type":"new","big":1e999,"other":[1,-1e999]}']);
    expect(events[1]?.data.payload).toMatchObject({ big: null, other: [1, null] });
  });

  test('tool calls that are not remembered are counted', () => {
    const lines = Array.from({ length: 1030 }, (_, index) => adapter.asks(`id${index}`)).flat();
    const data = run([...lines, ...adapter.asks('x'.repeat(1000))]).at(-1)?.data;
    expect(data?.openTools).toHaveLength(1024);
    expect(data?.openToolsUntracked).toBe(7);
  });

  test('the terminal keeps the last ten errors, without immediate repeats', () => {
    const lines = Array.from({ length: 15 }, (_, index) => adapter.fails(`e${index}`));
    const data = run([...lines, adapter.fails('e14')]).at(-1)?.data;
    expect(data?.errors).toEqual(Array.from({ length: 10 }, (_, index) => `e${index + 5}`));
  });
});
