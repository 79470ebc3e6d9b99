import fc from 'fast-check';
import { expect, test } from 'vitest';
import { jsonLengthLeft } from '../../src/lib/text/json-length.ts';

test('the length of a value as JSON is at most what writing it takes, and what fits is never refused', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.nat(200), (value, length) => {
      const left = length - JSON.stringify(value).length;
      const estimated = jsonLengthLeft(value, length);
      if (left >= 0) expect(estimated).toBeGreaterThanOrEqual(left);
      if (estimated < 0) expect(left).toBeLessThan(0);
    }),
    { numRuns: 2_000 },
  );
});

test('brackets, names and commas count exactly', () => {
  for (const value of [[], {}, [1], [1, 'two', [3]], { a: 1 }, { a: { b: [] }, c: 'd' }]) {
    expect(jsonLengthLeft(value, 100)).toBe(100 - JSON.stringify(value).length);
  }
});
