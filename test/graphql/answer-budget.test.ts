import { expect, test } from 'vitest';
import { type AnswerBudget, createAnswerBudgets } from '../../src/graphql/answer-budget.ts';
import { createTurns } from '../../src/lib/turns.ts';

const MiB = 1024 * 1024;
const FREE = { cost: 0, bytes: 0 };

const budgetsOf = (maxBytes: number) =>
  createAnswerBudgets(maxBytes, createTurns({ costPerTurn: 1_000, maxWaiting: 20 }));

/** Reads so many bytes, and counts the reads that were made. */
function reader(budget: AnswerBudget) {
  const seen = { reads: 0, atOnce: 0, most: 0 };
  return {
    seen,
    read: (bytes: number) =>
      budget.read({ cost: 1, maxBytes: 4 * MiB }, async (maxBytes) => {
        seen.reads += 1;
        seen.atOnce += 1;
        seen.most = Math.max(seen.most, seen.atOnce);
        await new Promise(setImmediate);
        seen.atOnce -= 1;
        return { bytes: Math.min(bytes, maxBytes) };
      }),
  };
}

const codeOf = (error: unknown) => (error as { extensions: { code: string } }).extensions.code;
const outcomes = (results: readonly PromiseSettledResult<unknown>[]) =>
  results.map((result) => (result.status === 'fulfilled' ? 'ok' : codeOf(result.reason)));

test('an answer reads one page at a time, and nothing once its bytes are used up', async () => {
  const { read, seen } = reader(budgetsOf(1024 * MiB).open(FREE, {}));
  const results = outcomes(await Promise.allSettled(Array.from({ length: 150 }, () => read(4 * MiB))));
  expect(results.filter((result) => result === 'ok')).toHaveLength(5);
  expect(new Set(results.slice(5))).toEqual(new Set(['RESPONSE_TOO_LARGE']));
  expect(seen).toMatchObject({ reads: 5, most: 1 });
});

test('a page is never more than what is left', async () => {
  const budget = budgetsOf(1024 * MiB).open(FREE, {});
  const { read } = reader(budget);
  for (let index = 0; index < 4; index += 1) await read(4 * MiB);
  expect(await read(3 * MiB)).toEqual({ bytes: 3 * MiB });
  expect(await read(4 * MiB)).toEqual({ bytes: MiB });
});

test('all answers together hold no more than the process may, and give back what they held', async () => {
  const budgets = budgetsOf(64 * MiB);
  const answers = Array.from({ length: 10 }, () => budgets.open(FREE, {}));
  const readAll = async (budget: AnswerBudget) => {
    const { read } = reader(budget);
    return outcomes(await Promise.allSettled([read(4 * MiB), read(4 * MiB)]));
  };
  const results = (await Promise.all(answers.map(readAll))).flat();
  expect(results.filter((result) => result === 'ok')).toHaveLength(16);
  expect(new Set(results)).toEqual(new Set(['ok', 'OVERLOADED']));
  for (const answer of answers) answer.close();
  expect(await readAll(budgets.open(FREE, {}))).toEqual(['ok', 'ok']);
});

test('what is written counts, names first', () => {
  const budget = budgetsOf(1024 * MiB).open({ cost: 0, bytes: 19 * MiB }, {});
  budget.write(MiB);
  expect(() => budget.write(1)).toThrow('too large');
});

test('reads that wait when the answer is complete are not made', async () => {
  const budget = budgetsOf(1024 * MiB).open(FREE, {});
  const { read, seen } = reader(budget);
  const results = Promise.allSettled([read(1), read(1), read(1)]);
  await Promise.resolve();
  budget.close();
  expect(outcomes(await results).slice(1)).toEqual(['RESPONSE_TOO_LARGE', 'RESPONSE_TOO_LARGE']);
  expect(seen.reads).toBe(1);
});
