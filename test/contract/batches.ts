import fc from 'fast-check';
import {
  RUNNER_EVENT_KINDS,
  type RunnerEventBatchValidation,
  type RunnerEventBatchValidationCode,
  validateRunnerEventBatch,
} from '../../src/contract/index.ts';

/** Returns a legal event with these changes. */
export function eventOf(change: Record<string, unknown> = {}): Record<string, unknown> {
  return { seq: 0, tMs: 0, kind: 'assistant_text', data: {}, ...change };
}

/** Returns a legal envelope around `events` with these changes. */
export function batchOf(events: unknown, change: Record<string, unknown> = {}): Record<string, unknown> {
  return { v: 1, runId: 'run-1', events, ...change };
}

/** Returns a legal batch of one event with this `data`. */
export function batchWithData(data: unknown): Record<string, unknown> {
  return batchOf([eventOf({ data })]);
}

/** Returns the accepted batch; fails the test if the batch is refused. */
export function accepted(input: unknown) {
  const verdict = validateRunnerEventBatch(input);
  if (!verdict.ok) throw new Error(`refused: ${verdict.code}: ${verdict.message}`);
  return verdict.batch;
}

/** Returns the refusal; fails the test if the batch is accepted. */
export function refused(input: unknown): Extract<RunnerEventBatchValidation, { ok: false }> {
  const verdict = validateRunnerEventBatch(input);
  if (verdict.ok) throw new Error('accepted');
  return verdict;
}

/** Returns the code of the refusal, or `accepted`. */
export function codeOf(input: unknown): RunnerEventBatchValidationCode | 'accepted' {
  const verdict = validateRunnerEventBatch(input);
  return verdict.ok ? 'accepted' : verdict.code;
}

/** Strings with everything that JSON escapes: control characters, U+0000, lone surrogates. */
export const anyString = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 8 })
    .map((units) => String.fromCharCode(...units)),
  fc.constantFrom(
    '',
    '\u0000',
    '\uD800',
    '__proto__',
    'constructor',
    'toString',
    'toJSON',
    'length',
    '0',
    '-0',
  ),
);

/** Any value that JSON can carry, including the keys and numbers that a copy most easily gets wrong. */
export const anyJson: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown; object: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.oneof(
      anyString,
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.integer(),
      fc.constantFrom(1e21, -0, 5e-324),
      fc.boolean(),
      fc.constant(null),
    ),
    tie('object'),
    fc.array(tie('value'), { maxLength: 5 }),
  ),
  object: objectOf(tie('value')),
})).value;

/** An event's `data`. */
export const anyJsonObject = objectOf(anyJson);

/** A legal list of events: numbers with gaps, and times that may repeat. */
export const anyEvents = fc
  .array(
    fc.record({
      step: fc.integer({ min: 1, max: 1000 }),
      wait: fc.integer({ min: 0, max: 1000 }),
      kind: fc.constantFrom(...RUNNER_EVENT_KINDS),
      data: anyJsonObject,
    }),
    { minLength: 1, maxLength: 6 },
  )
  .map((drafts) => {
    let seq = -1;
    let tMs = 0;
    return drafts.map(({ step, wait, kind, data }) => {
      seq += step;
      tMs += wait;
      return { seq, tMs, kind, data };
    });
  });

/** Built from JSON text, as on the wire, so that `__proto__` is an ordinary key. */
function objectOf(members: fc.Arbitrary<unknown>): fc.Arbitrary<object> {
  return fc
    .array(fc.tuple(anyString, members), { maxLength: 5 })
    .map((entries): object =>
      JSON.parse(
        `{${entries.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join()}}`,
      ),
    );
}
