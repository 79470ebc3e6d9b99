import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { EMPTY_HEAD, type Store } from '../../src/store/store.ts';
import type { TestDatabase } from '../support/databases.ts';
import { append, createRun, event, readLog } from './store-records.ts';

/** Strings that one of the two databases, the driver or an array's text might misinterpret. */
const AWKWARD = [
  '',
  '\u0000',
  'a\u0000b',
  '\ud800',
  '\udc00\ud800',
  '\ufffe\uffff',
  '\u2028\u2029',
  '"',
  '\\',
  '\\"',
  "'",
  "''; DROP TABLE event; --",
  '{a,"b\\"}',
  '{',
  '}',
  ',',
  'NULL',
  'null',
  '$1',
  '__proto__',
  'constructor',
  '0',
  '-1',
  '01',
  '1e21',
  '4294967295',
  '🦊',
  'e\u0301',
  '\r\n\t\b\f',
];

const text = fc.oneof(
  fc.constantFrom(...AWKWARD),
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)) }),
);
const number = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer(),
  fc.constantFrom(1e21, 5e-324, -0),
);
const { data } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    text,
    number,
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 4 }),
    tie('data'),
  ),
  // Through text, so that `__proto__` is an ordinary key.
  data: fc
    .array(fc.tuple(text, tie('value')), { maxLength: 5 })
    .map((entries) =>
      JSON.parse(`{${entries.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`)}}`),
    ),
}));

/** Tests that data comes back unchanged. */
export function testData({ open }: TestDatabase): void {
  let store: Store;
  beforeAll(async () => {
    store = await open();
  });
  const roundTrip = async (texts: readonly string[]): Promise<readonly string[]> => {
    const run = await createRun(store);
    await store.commit([
      append(
        run,
        EMPTY_HEAD,
        texts.map((written, seq) => event(seq, { data: written })),
      ),
    ]);
    return (await readLog(store, run)).map((stored) => stored.data);
  };

  describe('data', () => {
    test('awkward strings come back unchanged, as values and as keys', async () => {
      const texts = AWKWARD.flatMap((awkward) => [
        JSON.stringify({ value: awkward }),
        `{${JSON.stringify(awkward)}:[${JSON.stringify(awkward)}]}`,
      ]);
      expect(await roundTrip(texts)).toEqual(texts);
    });

    test('key order, repeated keys, spaces and spellings of numbers are kept', async () => {
      const texts = [
        '{"b":1,"a":2}',
        '{"a":1,"a":2}',
        '{ "a" : 1.0 , "b":1e21, "c":-0, "d":1E+2 }',
        '{"":{"":[]}}',
        '{\n\t"a":\r\n"\\n \\" \\\\ 🦊"}',
      ];
      expect(await roundTrip(texts)).toEqual(texts);
    });

    test('any JSON comes back unchanged', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(data, { minLength: 1, maxLength: 5 }), async (values) => {
          const texts = values.map((value) => JSON.stringify(value));
          expect(await roundTrip(texts)).toEqual(texts);
        }),
        { numRuns: 200 },
      );
    });

    test('strings of megabytes come back unchanged', async () => {
      const texts = ['x', '"', '\\', 'ü', '\u0000', '\ud800'].map((unit) =>
        JSON.stringify({ text: unit.repeat(1_500_000) }),
      );
      const stored = await roundTrip(texts);
      // Compared without a matcher, since a diff of megabytes is useless.
      expect(stored.map((written, index) => written === texts[index])).toEqual(texts.map(() => true));
    });

    test('512 levels of nesting come back unchanged', async () => {
      const deep = [
        `{"a":${'['.repeat(511)}${']'.repeat(511)}}`,
        `${'{"a":'.repeat(511)}{}${'}'.repeat(511)}`,
      ];
      expect(await roundTrip(deep)).toEqual(deep);
    });
  });
}
