import fc from 'fast-check';
import { expect, test } from 'vitest';
import { clipEnd, clipStart, createTextTail } from '../../src/lib/clip.ts';

test('what is short enough stays as it is, and of what is longer the named end remains', () => {
  expect([clipEnd('abc', 3), clipEnd('abcd', 3), clipStart('abc', 3), clipStart('abcd', 3)]).toEqual([
    'abc',
    'abc',
    'abc',
    'bcd',
  ]);
});

test('a surrogate pair that is cut through becomes a replacement character', () => {
  expect([clipEnd('a🌍', 2), clipStart('🌍a', 2)]).toEqual(['a\uFFFD', '\uFFFDa']);
});

test('the tail of pieces is the tail of the whole', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 30 })), fc.integer({ min: 1, max: 12 }), (pieces, length) => {
      const tail = createTextTail(length);
      for (const piece of pieces) tail.add(piece);
      expect(tail.text()).toBe(pieces.join('').slice(-length));
    }),
  );
});
