import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createMatcher, type Matcher } from '../../src/lib/secrets/matcher.ts';

test('a matcher finds the longest pattern that ends at each offset, like a search for each pattern', () => {
  // Few different bytes cause many overlaps.
  const bytes = (minLength: number) =>
    fc
      .array(fc.constantFrom(0, 97, 98, 255 - 1), { minLength, maxLength: 12 })
      .map((values) => Uint8Array.from(values));
  const patterns = fc.array(bytes(1), { maxLength: 8 });
  fc.assert(
    fc.property(patterns, fc.array(bytes(0), { maxLength: 20 }), (wanted, pieces) => {
      const text = Buffer.concat(pieces);
      expect(longestBy(createMatcher(wanted), text)).toEqual(longestAmong(wanted, text));
    }),
    { numRuns: 500 },
  );
});

test('a matcher accepts 16 KiB of patterns, and its table is bounded', () => {
  const patterns = Array.from({ length: 64 }, (_, index) =>
    Uint8Array.from({ length: 256 }, (_, place) => (place === 0 ? index : (place * (index + 1)) & 127)),
  );
  const matcher = createMatcher(patterns);
  expect(matcher.maxLength).toBe(256);
  expect(matcher.table.byteLength).toBeLessThan(9_000_000);
  expect(longestBy(matcher, Buffer.from(patterns[47]!)).at(-1)).toBe(256);
});

function longestBy({ classOf, classes, table, longest }: Matcher, text: Uint8Array): number[] {
  let state = 0;
  return [...text].map((byte) => {
    state = table[state * classes + classOf[byte]!]!;
    return longest[state]!;
  });
}

function longestAmong(patterns: readonly Uint8Array[], text: Buffer): number[] {
  return [...text.keys()].map((at) => {
    const before = text.subarray(0, at + 1);
    const ending = patterns.filter(
      (pattern) => pattern.length <= before.length && before.subarray(-pattern.length).equals(pattern),
    );
    return Math.max(0, ...ending.map(({ length }) => length));
  });
}
