import { expect, test } from 'vitest';
import { RESPONSE_MAX_LENGTH } from '../../src/config/limits.ts';
import { withinLength, writeAnswer } from '../../src/server/operations/answers.ts';

const reported: unknown[] = [];
const report = (error: unknown) => void reported.push(error);
const megabyte = 'x'.repeat(2 ** 20);

test('an answer longer than allowed is replaced by an error, even if no string could hold it', () => {
  for (const length of [RESPONSE_MAX_LENGTH / 2 ** 20, 1_000]) {
    const { text } = writeAnswer({ data: { list: Array.from({ length }, () => megabyte) } }, report);
    expect(JSON.parse(text)).toMatchObject({ errors: [{ extensions: { code: 'RESPONSE_TOO_LARGE' } }] });
  }
  expect(reported).toEqual([]);
});

test('an answer that JSON cannot represent is an error with an id that is reported', () => {
  const { text } = writeAnswer({ data: { number: 1n } }, report);
  const [error] = JSON.parse(text).errors;
  expect(error.extensions).toMatchObject({ code: 'INTERNAL_SERVER_ERROR', errorId: expect.any(String) });
  expect(reported).toHaveLength(1);
});

test('the counted length never exceeds the written length', () => {
  const result = { data: { list: [1, null, true, 'a"b', { key: [] }, {}], nested: { a: { b: 'c' } } } };
  expect(withinLength(result)).toBe(result);
});
