import fc from 'fast-check';
import { expect, test } from 'vitest';
import { clipEnd, clipStart, createTextTail } from '../../src/lib/text/clip.ts';

test('a short text is unchanged, and of a longer one the requested end remains', () => {
  expect([clipEnd('abc', 3), clipEnd('abcd', 3), clipStart('abc', 3), clipStart('abcd', 3)]).toEqual([
    'abc',
    'abc',
    'abc',
    'bcd',
  ]);
});

test('a surrogate pair that is cut in half becomes a replacement character', () => {
  expect([clipEnd('a🌍', 2), clipStart('🌍a', 2)]).toEqual(['a\uFFFD', '\uFFFDa']);
});

test('the tail of all pieces is the tail of the whole text', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 30 })), fc.integer({ min: 1, max: 12 }), (pieces, length) => {
      const tail = createTextTail(length);
      for (const piece of pieces) tail.add(piece);
      expect(tail.text()).toBe(pieces.join('').slice(-length));
    }),
  );
});
