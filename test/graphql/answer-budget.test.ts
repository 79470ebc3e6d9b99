import { expect, test } from 'vitest';
import { type AnswerBudget, createAnswerBudgets } from '../../src/graphql/price/answer-budget.ts';
import { createTurns } from '../../src/lib/waiting/turns.ts';

const MiB = 1024 * 1024;
const FREE = { cost: 0, bytes: 0 };

const budgetsOf = (maxBytes: number) =>
  createAnswerBudgets(maxBytes, createTurns({ costPerTurn: 1_000, maxWaiting: 20 }));

/** Reads `bytes` in one part, and counts the parts that were read and the bytes that they held at once. */
function reader(budget: AnswerBudget, seen = { reads: 0, atOnce: 0, most: 0, bytes: 0, mostBytes: 0 }) {
  return {
    seen,
    read: (bytes: number) =>
      budget.read(1, ({ part, left }) =>
        part(Math.min(bytes, left() || 1), async () => {
          const brought = Math.min(bytes, left());
          seen.reads += 1;
          seen.atOnce += 1;
          seen.bytes += brought;
          seen.most = Math.max(seen.most, seen.atOnce);
          seen.mostBytes = Math.max(seen.mostBytes, seen.bytes);
          await new Promise(setImmediate);
          seen.atOnce -= 1;
          return { bytes: brought };
        }),
      ),
  };
}

const codeOf = (error: unknown) => (error as { extensions: { code: string } }).extensions.code;
const outcomes = (results: readonly PromiseSettledResult<unknown>[]) =>
  results.map((result) => (result.status === 'fulfilled' ? 'ok' : codeOf(result.reason)));

test('an answer reads one page at a time, and nothing after its bytes are used up', async () => {
  const { read, seen } = reader(budgetsOf(1024 * MiB).open(FREE, {}));
  const results = outcomes(await Promise.allSettled(Array.from({ length: 150 }, () => read(4 * MiB))));
  expect(results.filter((result) => result === 'ok')).toHaveLength(5);
  expect(new Set(results.slice(5))).toEqual(new Set(['RESPONSE_TOO_LARGE']));
  expect(seen).toMatchObject({ reads: 5, most: 1 });
});

test('a part that exceeds the remaining bytes is not read, nor is any later part', async () => {
  const budget = budgetsOf(1024 * MiB).open(FREE, {});
  const { read, seen } = reader(budget);
  for (let index = 0; index < 4; index += 1) await read(4 * MiB);
  expect(await read(3 * MiB)).toEqual({ bytes: 3 * MiB });
  const large = budget.read(1, ({ part }) => part(2 * MiB, async () => ({ bytes: 2 * MiB })));
  await expect(large).rejects.toMatchObject({ extensions: { code: 'RESPONSE_TOO_LARGE' } });
  await expect(read(1)).rejects.toMatchObject({ extensions: { code: 'RESPONSE_TOO_LARGE' } });
  expect(seen.reads).toBe(5);
});

test('all answers together stay within the process’s limit, and wait for released bytes', async () => {
  const budgets = budgetsOf(64 * MiB);
  const seen = { reads: 0, atOnce: 0, most: 0, bytes: 0, mostBytes: 0 };
  const answer = async () => {
    const budget = budgets.open(FREE, {});
    const { read } = reader(budget, seen);
    let brought = 0;
    try {
      for (let page = 0; page < 3; page += 1) brought += (await read(4 * MiB)).bytes;
    } finally {
      seen.bytes -= brought;
      budget.close();
    }
  };
  const results = outcomes(await Promise.allSettled(Array.from({ length: 15 }, answer)));
  expect(results).toEqual(Array(15).fill('ok'));
  expect(seen.reads).toBe(45);
  // Each byte read counts as two bytes of memory.
  expect(seen.mostBytes).toBeLessThanOrEqual(32 * MiB);
  expect(seen.mostBytes).toBeGreaterThanOrEqual(16 * MiB);
});

test('a small read does not wait for large reads of other clients', async () => {
  const budgets = budgetsOf(64 * MiB);
  for (let index = 0; index < 4; index += 1) await reader(budgets.open(FREE, {})).read(4 * MiB);
  const waits = reader(budgets.open(FREE, {}));
  const waiting = waits.read(4 * MiB);
  const owner = {};
  for (let index = 0; index < 4; index += 1) await reader(budgets.open(FREE, owner)).read(256 * 1024);
  expect(waits.seen.reads).toBe(0);
  void waiting.catch(() => {});
});

/** Turns in which everything fits, so that only room is scarce. */
const FREE_TURNS = { take: () => null, spend: () => {} };

/** An answer that looks for its events with a small part, then reads them in parts of 1 MiB until released. */
async function readsLarge(budget: AnswerBudget, released: Promise<void>, parts: { atOnce: number }) {
  await budget.read(1, async ({ part }) => {
    await part(256 * 1024, async () => ({ bytes: 0 }));
    for (let index = 0; index < 4; index += 1) {
      await part(MiB, async () => {
        parts.atOnce += 1;
        if (index === 2) await released;
        parts.atOnce -= 1;
        return { bytes: 900_000 };
      });
    }
    return { bytes: 0 };
  });
  budget.close();
}

test('a small read is neither refused nor kept waiting, however many clients wait for large reads', async () => {
  const budgets = createAnswerBudgets(64 * MiB, FREE_TURNS);
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const parts = { atOnce: 0 };
  const large = Array.from({ length: 1_500 }, () => readsLarge(budgets.open(FREE, {}), released, parts));
  const ended = Promise.allSettled(large);
  await new Promise(setImmediate);
  for (let index = 0; index < 19; index += 1) {
    const budget = budgets.open(FREE, {});
    let read = false;
    const small = budget.read(1, ({ part }) =>
      part(256 * 1024, async () => {
        read = true;
        return { bytes: 500 };
      }),
    );
    await new Promise(setImmediate);
    expect(read).toBe(true);
    await small;
    budget.hold(500);
    budget.close();
  }
  release();
  expect(outcomes(await ended)).toEqual(Array(1_500).fill('ok'));
});

test('parts of many clients that each hold little stay within the limit together', async () => {
  const budgets = createAnswerBudgets(64 * MiB, FREE_TURNS);
  const seen = { reads: 0, atOnce: 0, most: 0, bytes: 0, mostBytes: 0 };
  const reads = Array.from({ length: 500 }, async () => {
    const budget = budgets.open(FREE, {});
    await reader(budget, seen).read(MiB);
    budget.close();
  });
  expect(outcomes(await Promise.allSettled(reads))).toEqual(Array(500).fill('ok'));
  // Each byte read counts as two bytes of memory.
  expect(seen.most * 2 * MiB).toBeLessThanOrEqual(96 * MiB);
});

test('OVERLOADED is only for a queue that is too long', async () => {
  const turns = createTurns({ costPerTurn: 1_000_000, maxWaiting: 10_000 });
  const budgets = createAnswerBudgets(64 * MiB, turns);
  const owner = {};
  const answers = Array.from({ length: 300 }, () => budgets.open(FREE, owner));
  const seen = { reads: 0, atOnce: 0, most: 0, bytes: 0, mostBytes: 0 };
  const reads = answers.map(async (budget) => {
    await reader(budget, seen).read(14 * MiB);
    budget.close();
  });
  const results = outcomes(await Promise.allSettled(reads));
  const count = (outcome: string) => results.filter((result) => result === outcome).length;
  expect(count('ok') + count('OVERLOADED')).toBe(300);
  expect(count('ok')).toBeGreaterThanOrEqual(256);
  expect(count('OVERLOADED')).toBeGreaterThan(0);
  expect(seen.reads).toBe(count('ok'));
  expect(seen.most).toBe(1);
});

test('bytes are paid for before a read, and those of a first part above its assumed size after it', async () => {
  const costs: number[] = [];
  const turns = {
    take: (_: object, cost: number) => {
      costs.push(cost);
      return null;
    },
    spend: (cost: number) => void costs.push(cost),
  };
  const budget = createAnswerBudgets(1024 * MiB, turns).open(FREE, {});
  const advance = 64 * 1024;
  await budget.read(7, ({ part }) => part(128 * 1024, async () => ({ bytes: advance + 512 })));
  // Then a turn to complete the fields of the result.
  expect(costs).toEqual([7 + advance / 256, 2, (advance + 512) / 256]);
  costs.length = 0;
  await budget.read(7, ({ part }) =>
    part(MiB, async () => {
      costs.push(0);
      return { bytes: MiB };
    }),
  );
  expect(costs).toEqual([7 + 4_096, 0, 4_096]);
});

test('written bytes count, beginning with names', () => {
  const budget = budgetsOf(1024 * MiB).open({ cost: 0, bytes: 19 * MiB }, {});
  budget.write(MiB);
  expect(() => budget.write(1)).toThrow('too large');
});

test('reads that still wait when the answer is complete do not run', async () => {
  const budget = budgetsOf(1024 * MiB).open(FREE, {});
  const { read, seen } = reader(budget);
  const results = Promise.allSettled([read(1), read(1), read(1)]);
  // The first read begins once it has its turn and its bytes.
  for (let step = 0; step < 10 && seen.reads === 0; step += 1) await Promise.resolve();
  budget.close();
  expect(outcomes(await results).slice(1)).toEqual(['RESPONSE_TOO_LARGE', 'RESPONSE_TOO_LARGE']);
  expect(seen.reads).toBe(1);
});
