import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyString, batchOf, batchWithData, eventOf, refused } from './batches.ts';

function got(seq: unknown): string | undefined {
  return /, got (.*)$/su.exec(refused(batchOf([eventOf({ seq })])).message)?.[1];
}

describe('a refusal', () => {
  it('names the place and shows the value', () => {
    const events = [0, 1, 2].map((seq) => eventOf({ seq }));
    expect(refused(batchOf([...events, eventOf({ seq: '7' })]))).toStrictEqual({
      ok: false,
      code: 'invalid_event',
      message: 'events[3].seq must be a whole number from 0 to 9007199254740991, got "7"',
      eventIndex: 3,
    });
    const when = { 'odd name': [{ at: Number.NaN }] };
    expect(refused(batchWithData({ when })).message).toBe(
      'events[0].data.when["odd name"][0].at must be something that JSON can carry, got NaN',
    );
  });

  it('has an event index only if it concerns one event', () => {
    expect(refused(batchOf([]))).toStrictEqual({
      ok: false,
      code: 'empty_batch',
      message: 'events must be a non-empty array, got an empty one',
    });
    expect(refused(batchOf(new Array(300)))).not.toHaveProperty('eventIndex');
  });

  it('shows at most 40 characters of the value, and no half characters', () => {
    fc.assert(
      fc.property(
        fc.oneof(anyString, fc.string({ unit: 'binary', minLength: 30, maxLength: 60 })),
        (text) => {
          const shown = got(text) ?? 'nothing';
          expect(shown.length).toBeLessThanOrEqual(40);
          expect(shown).not.toMatch(/\p{Surrogate}/u);
        },
      ),
    );
    expect(got('x'.repeat(5_000_000))).toBe(`"${'x'.repeat(37)}…"`);
    expect(got('x'.repeat(38))).toBe(`"${'x'.repeat(38)}"`);
    expect(got(`${'x'.repeat(36)}😀😀`)).toBe(`"${'x'.repeat(36)}…"`);
  });

  it('stays short if keys are long, unusual or many', () => {
    let data: object = { last: undefined };
    for (let level = 0; level < 400; level++) data = { ['key\n'.repeat(level * 100)]: data };
    const { message } = refused(batchWithData(data));
    expect(message.length).toBeLessThan(200);
    expect(message).toMatch(/\.last must be something that JSON can carry, got undefined$/);
    for (let shift = 0; shift < 2; shift++) {
      const key = `${'x'.repeat(shift)}😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀`;
      const refusal = refused(batchWithData({ [key]: { [key]: { [key]: { [key]: undefined } } } }));
      expect(refusal.message).not.toMatch(/\p{Surrogate}/u);
    }
  });

  it('calls none of the value’s own code', () => {
    const calls: string[] = [];
    const spying = {
      toString: () => calls.push('toString'),
      toJSON: () => calls.push('toJSON'),
      valueOf: () => calls.push('valueOf'),
      [Symbol.toPrimitive]: () => calls.push('toPrimitive'),
      get [Symbol.toStringTag]() {
        calls.push('toStringTag');
        return 'x';
      },
    };
    expect(got(spying)).toBe('an object');
    expect(calls).toStrictEqual([]);
  });

  it.each([
    [undefined, 'undefined'],
    [null, 'null'],
    [true, 'true'],
    [-1.5, '-1.5'],
    [10n ** 5000n, 'a bigint'],
    [Symbol('s'), 'a symbol'],
    [() => 1, 'a function'],
    [[1], 'an array'],
    [new Date(0), 'an object'],
  ])('shows %o as %s', (value, shown) => {
    expect(got(value)).toBe(shown);
  });
});
